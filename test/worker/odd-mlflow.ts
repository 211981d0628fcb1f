import { env } from "cloudflare:workers";
import { vi } from "vitest";
import * as z from "zod";
import { drive } from "../../src/relay/delivery/drive.ts";
import type { Deps } from "../../src/relay/deps.ts";
import { probe } from "../../src/relay/line/breaker.ts";
import { wire } from "../../src/wire.ts";
import { post } from "./api.ts";
import { endless } from "./endless.ts";
import { recordingQueue } from "./job-tools.ts";

const pair = z.object({ key: z.string(), value: z.string() });
const asked = z.object({
  name: z.string().default(""),
  run_id: z.string().default(""),
  filter: z.string().default(""),
  status: z.string().optional(),
  key: z.string().default(""),
  value: z.string().default(""),
  metrics: z
    .array(z.object({ key: z.string(), value: z.unknown(), step: z.number(), timestamp: z.number() }))
    .default([]),
  params: z.array(pair).default([]),
  tags: z.array(pair).default([]),
});
export type Asked = z.output<typeof asked>;

/** What is answered in place of MLflow's own answer; `done`: MLflow did what it was asked all the same. */
export type Odd = {
  status: number;
  type?: string;
  headers?: Record<string, string>;
  body: string;
  done?: boolean;
};

export type Run = {
  id: string;
  status: string;
  tags: Map<string, string>;
  params: Map<string, string>;
  points: Set<string>;
};

/** An MLflow in memory that answers whatever a test wants, to whichever call. */
export class OddMlflow {
  readonly runs: Run[] = [];
  readonly calls: { endpoint: string; asked: Asked }[] = [];
  odd: (endpoint: string, asked: Asked) => Odd | null = () => null;

  readonly fetch = async (address: string, init: RequestInit): Promise<Response> => {
    const url = new URL(address);
    const endpoint = url.pathname.replace("/api/2.0/mlflow/", "");
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : {};
    const call = asked.parse({ ...Object.fromEntries(url.searchParams), ...Object(body) });
    this.calls.push({ endpoint, asked: call });
    const odd = this.odd(endpoint, call);
    const answer = odd === null || odd.done ? this.#answer(endpoint, call, url.searchParams) : null;
    if (odd !== null)
      return new Response(odd.status === 204 ? null : odd.body, {
        status: odd.status,
        headers: { "content-type": odd.type ?? "application/json", ...odd.headers },
      });
    return answer === null
      ? Response.json({ error_code: "RESOURCE_DOES_NOT_EXIST", message: "not found" }, { status: 404 })
      : Response.json(answer);
  };

  #answer(endpoint: string, asked: Asked, query: URLSearchParams): object | null {
    switch (endpoint) {
      case "experiments/search":
        return {};
      case "experiments/get":
      case "experiments/get-by-name": {
        const name = query.get("experiment_name") ?? "thunderline-trials";
        return { experiment: { experiment_id: "1", name, lifecycle_stage: "active" } };
      }
      case "runs/create": {
        const id = crypto.randomUUID().replaceAll("-", "");
        const tags = new Map(asked.tags.map(({ key, value }) => [key, value]));
        const run = { id, status: "RUNNING", tags, params: new Map(), points: new Set<string>() };
        this.runs.push(run);
        return { run: json(run) };
      }
      case "runs/search": {
        const wanted = [...asked.filter.matchAll(/'([^']*)'/g)].map(([, text]) => text);
        const found = this.runs.filter(({ id, tags }) =>
          wanted.some((text = "") => text === id || [...tags.values()].some((value) => isMeant(value, text))),
        );
        return { runs: found.map(json) };
      }
    }
    const run = this.runs.find(({ id }) => id === asked.run_id);
    if (!run) return null;
    switch (endpoint) {
      case "runs/get":
        return { run: json(run) };
      case "runs/update":
        run.status = asked.status ?? run.status;
        return { run_info: json(run).info };
      case "runs/delete":
        this.runs.splice(this.runs.indexOf(run), 1);
        return {};
      case "runs/set-tag":
        run.tags.set(asked.key, asked.value);
        return {};
      case "runs/delete-tag":
        return run.tags.delete(asked.key) ? {} : null;
      case "runs/log-batch":
        for (const { key, value } of asked.params) run.params.set(key, value);
        for (const { key, value, step, timestamp } of asked.metrics)
          run.points.add(JSON.stringify([key, step, value, timestamp]));
        for (const { key, value } of asked.tags) run.tags.set(key, value);
        return {};
      default:
        return null;
    }
  }
}

/** By a text, or with a % at its end by its beginning. */
function isMeant(value: string, text: string): boolean {
  return text.endsWith("%") ? value.startsWith(text.slice(0, -1)) : value === text;
}

function json({ id, status, tags, params }: Run) {
  const pairs = (map: Map<string, string>) => [...map].map(([key, value]) => ({ key, value }));
  return {
    info: { run_id: id, experiment_id: "1", status, lifecycle_stage: "active" },
    data: { params: pairs(params), tags: pairs(tags) },
  };
}

/** Answers that are no answers, from what may stand between. */
const html = (status: number, headers = {}): Odd => ({
  status,
  type: "text/html",
  headers,
  body: "<h1>no</h1>",
});
const error = (status: number, error_code: string, message: string, headers = {}): Odd => ({
  status,
  headers,
  body: JSON.stringify({ error_code, message }),
});
export const READ_ONLY = error(
  400,
  "BAD_REQUEST",
  "(psycopg2.errors.ReadOnlySqlTransaction) cannot execute INSERT in a read-only transaction\n\n[SQL: INSERT INTO tags]",
);
export const TOO_LONG = error(
  400,
  "BAD_REQUEST",
  "(psycopg2.errors.StringDataRightTruncation) value too long for type character varying(250)\n\n[SQL: INSERT]",
);
export const INTERNAL = error(500, "INTERNAL_ERROR", "Something went wrong");
export const FORBIDDEN = html(403);
export const UNKNOWN = error(404, "RESOURCE_DOES_NOT_EXIST", "Run with id=x not found");
export const ODD: Record<string, Odd> = {
  "400 as HTML": html(400),
  "401 as JSON": { status: 401, body: '{"message":"sign in"}' },
  "403 as HTML": FORBIDDEN,
  "404 as HTML": html(404),
  "408": html(408),
  "409 as HTML": html(409),
  "200 as HTML": html(200),
  "200 empty": { status: 200, body: "" },
  "200 of another call": { status: 200, body: '{"experiments":[]}' },
  "200 of another run": {
    status: 200,
    body: JSON.stringify({
      run: {
        info: { run_id: "f".repeat(32), experiment_id: "1", status: "FINISHED", lifecycle_stage: "active" },
      },
    }),
  },
  "200 cut off": { status: 200, body: '{"run":' },
  "204": { status: 204, body: "" },
  "302": html(302, { location: "/login" }),
  "429 for a year": error(429, "REQUEST_LIMIT_EXCEEDED", "slow down", { "retry-after": "31536000" }),
  "500": INTERNAL,
  "502 as HTML": html(502),
  "503": error(503, "TEMPORARILY_UNAVAILABLE", "database is locked", {
    "retry-after": "Fri, 31 Dec 9999 23:59:59 GMT",
  }),
  "read only": READ_ONLY,
  "a table is missing": error(
    400,
    "BAD_REQUEST",
    '(psycopg2.errors.UndefinedTable) relation "runs" does not exist\n',
  ),
  "no connection left": error(400, "BAD_REQUEST", "QueuePool limit of size 5 overflow 10 reached"),
  "a refusal": error(400, "INVALID_PARAMETER_VALUE", "Invalid value"),
  "nothing of that kind": UNKNOWN,
  "a code of a server to come": error(400, "SOMETHING_NEW", "no"),
};

const SECOND_MS = 1_000;
let count = 0;

/** A study of one trial, an odd MLflow, and the relay's hands on them; time stands still but for `later`. */
export async function oddWorld(vars: Record<string, string> = {}) {
  // Nothing is known of MLflow but what this world shows.
  for (const table of ["breakers", "mlflow_experiments"]) await env.DB.prepare(`delete from ${table}`).run();
  const mlflow = new OddMlflow();
  const n = ++count;
  const ids = { model_run_id: `odd-${n}`, trial_id: `t-${n}` };
  const queues = { TRIALS: recordingQueue(), JOBS: recordingQueue().queue };
  const bindings = {
    RELAY_BREAKER_FAILURES: "1000",
    RELAY_ANNOUNCE_GRACE_SECONDS: "0",
    RELAY_RETRY_MAX_MS: "10000",
    MLFLOW_REQUEST_TIMEOUT: "1000",
    ...vars,
  };
  const deps: Deps = endless(
    wire(
      { ...env, ...bindings, TRIALS: queues.TRIALS.queue, JOBS: queues.JOBS, FILES: queues.JOBS },
      {},
      mlflow.fetch,
    ),
  );
  const streams = async () => {
    const query = env.DB.prepare(
      "select id, kind, blocked_kind as blocked, delivered_seq >= last_seq as done from streams where model_run_id = ?1 order by kind",
    );
    const { results } = await query
      .bind(ids.model_run_id)
      .all<{ id: number; kind: string; blocked: string | null; done: 0 | 1 }>();
    return results;
  };
  const world = {
    mlflow,
    deps,
    queued: queues.TRIALS.sent,
    streams,
    say: (events: object[]) => post(events.map((event) => ({ ...ids, ...event }))),
    later: (ms: number) => vi.setSystemTime(Date.now() + ms),
    /** The breaker's probe, and a turn of the model run's and of the trial's, as their messages would give them. */
    turn: async () => {
      await probe(deps);
      for (const { id } of await streams()) await drive(deps, id);
      world.later(30 * SECOND_MS);
    },
    /** As many as it takes, at most. */
    turns: async (most: number) => {
      for (let i = 0; i < most && !(await streams()).every(({ done }) => done); i++) await world.turn();
    },
    letters: async () => {
      const query = env.DB.prepare(
        "select item from dead_letters where stream_id in (select id from streams where model_run_id = ?1)",
      );
      const { results } = await query.bind(ids.model_run_id).all<{ item: string }>();
      return results.map(({ item }) => item);
    },
    trialRun: () => mlflow.runs.filter(({ tags }) => tags.get("thunderline_trial_id") === ids.trial_id),
  };
  return world;
}

/** A whole study: its model run, one trial with some points, and both ends. */
export const STUDY = [
  { event: "ml.run.start", requested_trials: 1, search_space_version: 1, max_params: 1 },
  { event: "ml.trial.start", spectral_norm: true, parameters: { lr: 0.1, layers: 3 } },
  ...[1, 2, 3, 4].map((step) => ({
    event: "ml.run.metric",
    metric_name: "loss",
    metric_value: 1 / step,
    step,
    occurred_at: 1_764_000_000_000 + step,
  })),
  { event: "ml.trial.cancelled", spectral_norm: true },
  { event: "ml.run.stop", state: "completed", completed_trials: 1 },
];
