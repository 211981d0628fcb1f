import { env } from "cloudflare:workers";
import * as z from "zod";
import { keyProblem } from "../../src/domain/limits.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { wire } from "../../src/wire.ts";
import { endless } from "./endless.ts";
import { type FakeExperiments, FakeRefusal } from "./fake-experiments.ts";
import type { FakeModels } from "./fake-models.ts";
import { recordingQueue } from "./job-tools.ts";

/**
 * A tracking server of a few runs in memory, for what a real one cannot be made to do at a chosen moment: to refuse
 * one call, or to do it and lose the answer. It knows what delivery and pulls ask for, and no more.
 */

const pair = z.object({ key: z.string(), value: z.string() });
const point = z.object({ key: z.string(), value: z.unknown(), step: z.number(), timestamp: z.number() });
const asked = z.object({
  experiment_id: z.string().default("1"),
  run_id: z.string().optional(),
  run_name: z.string().optional(),
  status: z.string().optional(),
  start_time: z.number().optional(),
  end_time: z.number().optional(),
  key: z.string().optional(),
  value: z.string().optional(),
  filter: z.string().optional(),
  metrics: z.array(point).default([]),
  params: z.array(pair).default([]),
  tags: z.array(pair).default([]),
});
type Asked = z.output<typeof asked>;

/**
 * What becomes of a call: refused with 503, or done with the answer lost, or lost and done only after `LATE_MS`, or
 * done and answered with an error, or done twice, the second time after `LATE_MS`, or taken by something between that
 * answers as MLflow would and never passes it on.
 */
export type Trouble = "refused" | "unanswered" | "late" | "errs" | "twice" | "swallowed" | null;

/** Within the time in which a call may still land, by `deps`. */
const LATE_MS = 150;

class FakeRun {
  readonly experimentId: string;
  name: string;
  status = "RUNNING";
  endTime: number | undefined;
  lifecycle = "active";
  startTime: number;
  readonly tags: Map<string, string>;
  readonly params = new Map<string, string>();
  readonly metrics: z.output<typeof point>[] = [];
  /** What it was given and made. */
  given: { inputs?: object; outputs?: object } = {};

  constructor({ experiment_id, run_name = "", start_time = 0, tags }: Asked) {
    this.experimentId = experiment_id;
    this.name = run_name;
    this.startTime = start_time;
    this.tags = new Map(tags.map(({ key, value }) => [key, value]));
  }

  json(id: string) {
    const pairs = (map: Map<string, string>) => [...map].map(([key, value]) => ({ key, value }));
    return {
      info: {
        run_id: id,
        run_name: this.name,
        experiment_id: this.experimentId,
        status: this.status,
        start_time: this.startTime,
        end_time: this.endTime,
        lifecycle_stage: this.lifecycle,
      },
      data: { metrics: this.metrics, params: pairs(this.params), tags: pairs(this.tags) },
      ...this.given,
    };
  }
}

export class FakeMlflow {
  readonly runs = new Map<string, FakeRun>();
  /** The endpoints that were called. */
  readonly calls: string[] = [];
  /** Null: there is one of whatever name is asked for. */
  readonly experiments: FakeExperiments | null;
  readonly models: FakeModels | null;
  trouble: (endpoint: string) => Trouble = () => null;
  /** What is still to be done, and when: as the next call comes in, since timers may be as late as they like. */
  #late: { at: number; land: () => void }[] = [];

  constructor(how: { experiments?: FakeExperiments; models?: FakeModels } = {}) {
    this.experiments = how.experiments ?? null;
    this.models = how.models ?? null;
    if (this.experiments)
      this.experiments.onLifecycle = (id, lifecycle) => {
        for (const run of this.runs.values()) if (run.experimentId === id) run.lifecycle = lifecycle;
      };
  }

  /** The relay's effects, with this as its MLflow and with settings of its own. */
  deps(vars: object = {}): Deps {
    const quick: Record<string, string> = {
      RELAY_RETRY_BASE_MS: "10",
      RELAY_RETRY_MAX_MS: "100",
      RELAY_BREAKER_FAILURES: "1000",
      MLFLOW_REQUEST_TIMEOUT: "100",
    };
    const queues = {
      TRIALS: recordingQueue().queue,
      JOBS: recordingQueue().queue,
      FILES: recordingQueue().queue,
    };
    return endless(wire({ ...env, ...queues, ...quick, ...vars }, {}, this.fetch));
  }

  /** A run that somebody else made; its id. */
  add(status: string): string {
    const id = crypto.randomUUID().replaceAll("-", "");
    const run = new FakeRun(asked.parse({ run_name: "theirs", start_time: 1 }));
    run.status = status;
    this.runs.set(id, run);
    return id;
  }

  /** Does what was to be done late, up to a time. */
  land(upto: number): void {
    for (const { land } of this.#late.filter(({ at }) => at <= upto)) land();
    this.#late = this.#late.filter(({ at }) => at > upto);
  }

  readonly fetch = async (address: string, init: RequestInit): Promise<Response> => {
    const url = new URL(address);
    const endpoint = url.pathname.replace("/api/2.0/mlflow/", "");
    this.land(Date.now());
    this.calls.push(endpoint);
    const trouble = this.trouble(endpoint);
    if (trouble === "refused")
      return Response.json({ error_code: "TEMPORARILY_UNAVAILABLE", message: "not now" }, { status: 503 });
    const text: unknown = typeof init.body === "string" ? JSON.parse(init.body) : {};
    const { experiments } = this;
    const body = asked.parse(text);
    const request = {
      ...body,
      run_id: body.run_id ?? url.searchParams.get("run_id") ?? "",
      key: body.key ?? url.searchParams.get("metric_key") ?? "",
      name: url.searchParams.get("experiment_name") ?? "e",
    };
    const answered = () =>
      this.models?.answer(init.method ?? "GET", endpoint, text, url.searchParams) ??
      (experiments && endpoint.startsWith("experiments/") && endpoint !== "experiments/search"
        ? experiments.answer(endpoint, url.searchParams, text)
        : this.#answer(endpoint, request));
    if (trouble === "swallowed") return Response.json({});
    if (trouble === "late" || trouble === "twice")
      this.#late.push({ at: Date.now() + LATE_MS, land: () => answered() });
    if (trouble === "late") throw new Error("connection reset");
    const answer = answered();
    if (trouble === "unanswered") throw new Error("connection reset");
    if (trouble === "errs")
      return Response.json({ error_code: "TEMPORARILY_UNAVAILABLE", message: "after all" }, { status: 503 });
    if (answer instanceof FakeRefusal) return Response.json(answer.body, { status: answer.status });
    return answer === null
      ? Response.json(
          { error_code: "RESOURCE_DOES_NOT_EXIST", message: this.#missing(endpoint, body) },
          { status: 404 },
        )
      : Response.json(answer);
  };

  #missing(endpoint: string, { key }: Asked): string {
    return endpoint === "runs/delete-tag" ? `No tag with name: ${key} in run` : "no such thing";
  }

  #answer(endpoint: string, body: Asked & { run_id: string; name: string }): object | null {
    if (endpoint === "runs/create") {
      if (this.experiments?.byId.get(body.experiment_id)?.lifecycle === "deleted")
        return notActive("experiment", body.experiment_id);
      const id = crypto.randomUUID().replaceAll("-", "");
      const made = new FakeRun(body);
      this.runs.set(id, made);
      return { run: made.json(id) };
    }
    if (endpoint === "experiments/search") return {};
    if (endpoint.startsWith("experiments/"))
      return { experiment: { experiment_id: "1", name: body.name, lifecycle_stage: "active" } };
    if (endpoint === "runs/search") return { runs: this.#found(body.filter) };
    const run = this.runs.get(body.run_id);
    if (!run) return null;
    const isWrite = !["runs/get", "metrics/get-history", "runs/delete", "runs/restore"].includes(endpoint);
    if (this.experiments && isWrite && run.lifecycle === "deleted") return notActive("run", body.run_id);
    const keys = [...body.params, ...body.metrics, ...body.tags].map(({ key }) => key);
    const sent = endpoint === "runs/set-tag" ? [body.key ?? ""] : keys;
    const odd = sent.find((key) => keyProblem(key) !== null);
    if (odd !== undefined) return new FakeRefusal("INVALID_PARAMETER_VALUE", `Invalid value "${odd}"`);
    switch (endpoint) {
      case "runs/get":
        return { run: run.json(body.run_id) };
      case "metrics/get-history":
        return { metrics: run.metrics.filter(({ key }) => key === body.key) };
      case "runs/update":
        run.status = body.status ?? run.status;
        run.endTime = body.end_time ?? run.endTime;
        run.name = body.run_name ?? run.name;
        return { run_info: run.json(body.run_id).info };
      case "runs/delete":
        run.lifecycle = "deleted";
        return {};
      case "runs/restore":
        run.lifecycle = "active";
        return {};
      case "runs/set-tag":
        run.tags.set(body.key ?? "", body.value ?? "");
        return {};
      case "runs/delete-tag":
        return run.tags.delete(body.key ?? "") ? {} : null;
      case "runs/log-batch":
        for (const { key, value } of body.params) run.params.set(key, value);
        for (const { key, value } of body.tags) run.tags.set(key, value);
        run.metrics.push(...body.metrics);
        return {};
      default:
        return null;
    }
  }

  /** The runs that a filter names by their ids, or by a tag's value, whole or, with a % at its end, its beginning. */
  #found(filter = ""): object[] {
    const [, key = "", value = ""] = /^tags\.`(.*)` (?:=|LIKE) '(.*)'$/.exec(filter) ?? [];
    const isMeant = (tag: string) =>
      value.endsWith("%") ? tag.startsWith(value.slice(0, -1)) : tag === value;
    return [...this.runs].flatMap(([id, run]) =>
      filter.includes(`'${id}'`) || (key !== "" && isMeant(run.tags.get(key) ?? "")) ? run.json(id) : [],
    );
  }
}

function notActive(what: "run" | "experiment", id: string): FakeRefusal {
  return new FakeRefusal(
    "INVALID_PARAMETER_VALUE",
    `The ${what} ${id} must be in the 'active' state. Current state is deleted.`,
  );
}
