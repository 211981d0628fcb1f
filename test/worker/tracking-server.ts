import { env } from "cloudflare:workers";
import * as z from "zod";
import type { Deps } from "../../src/relay/deps.ts";
import { wire } from "../../src/wire.ts";
import { endless } from "./endless.ts";
import { recordingQueue } from "./job-tools.ts";

type Metric = { key: string; value: number | string; timestamp: number; step: number };
type Run = {
  info: Record<string, unknown> & { run_id: string; experiment_id: string; lifecycle_stage: string };
  data: {
    metrics?: Metric[];
    params?: { key: string; value: string }[];
    tags?: { key: string; value: string }[];
  };
  inputs?: object;
};

const search = z.object({
  experiment_ids: z.array(z.string()),
  filter: z.string().optional(),
  run_view_type: z.string(),
  max_results: z.number(),
  page_token: z.string().optional(),
  order_by: z.array(z.string()).optional(),
});

/** An MLflow in memory, as far as following it goes: what it does was seen on real ones in the end-to-end tests. */
export class TrackingServer {
  readonly runs = new Map<string, Run>();
  readonly experiments = new Map<string, { name: string; lifecycle_stage: string }>();
  readonly histories = new Map<string, Metric[]>();
  readonly called: string[] = [];
  isAway = false;
  /** The most runs on a page, whatever was asked for. */
  pageRuns = Number.POSITIVE_INFINITY;
  /** Whether searches are answered with nothing at all, as something between would. */
  showsNothing = false;
  /** Whether a call is done and its answer lost. */
  losesAnswer: (endpoint: string) => boolean = () => false;
  #made = 0;

  experiment(id: string, name: string): void {
    this.experiments.set(id, { name, lifecycle_stage: "active" });
  }

  /** A run that starts after those made before it. */
  run(experiment_id: string, data: Run["data"] = {}, info: Record<string, unknown> = {}): Run {
    const n = ++this.#made;
    const run: Run = {
      info: {
        run_id: crypto.randomUUID().replaceAll("-", ""),
        experiment_id,
        run_name: `run ${n}`,
        user_id: "ann",
        status: "RUNNING",
        start_time: n,
        lifecycle_stage: "active",
        ...info,
      },
      data,
    };
    this.runs.set(run.info.run_id, run);
    return run;
  }

  /** What the relay works with, this server in MLflow's place. */
  deps(vars: object = {}): Deps {
    const bindings = {
      ...env,
      TRIALS: recordingQueue().queue,
      JOBS: recordingQueue().queue,
      FILES: recordingQueue().queue,
      ...vars,
    };
    return endless(wire(bindings, {}, this.fetch));
  }

  readonly fetch = async (address: string, init: RequestInit): Promise<Response> => {
    const url = new URL(address);
    const endpoint = url.pathname.replace("/api/2.0/mlflow/", "");
    this.called.push(endpoint);
    if (this.isAway) throw new Error("connection refused");
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : null;
    const answer = this.#answer(endpoint, url.searchParams, body);
    if (this.losesAnswer(endpoint)) throw new Error("connection reset");
    return answer
      ? Response.json(answer)
      : Response.json({ error_code: "RESOURCE_DOES_NOT_EXIST", message: "No such thing" }, { status: 404 });
  };

  #answer(endpoint: string, query: URLSearchParams, body: unknown): object | null {
    const runOf = (id: unknown) => this.runs.get(String(id)) ?? null;
    switch (endpoint) {
      case "runs/search":
        return this.#search(search.parse(body));
      case "runs/get": {
        const run = runOf(query.get("run_id"));
        return run && { run };
      }
      case "runs/delete": {
        const run = runOf(z.object({ run_id: z.string() }).parse(body).run_id);
        if (run) run.info.lifecycle_stage = "deleted";
        return run && {};
      }
      case "experiments/get":
      case "experiments/get-by-name": {
        const id = query.get("experiment_id");
        const name = query.get("experiment_name");
        const found = [...this.experiments].find(([key, { name: own }]) => key === id || own === name);
        return found ? { experiment: { experiment_id: found[0], ...found[1] } } : null;
      }
      case "metrics/get-history":
        return { metrics: this.histories.get(`${query.get("run_id")} ${query.get("metric_key")}`) ?? [] };
      default:
        return null;
    }
  }

  #search({ experiment_ids, filter, run_view_type, max_results, page_token }: z.output<typeof search>) {
    const ids = filter === undefined ? null : [...filter.matchAll(/'([^']*)'/g)].map(([, id]) => id);
    const found = [...this.runs.values()].filter(
      ({ info }) =>
        experiment_ids.includes(info.experiment_id) &&
        (run_view_type === "ALL" || info.lifecycle_stage === "active") &&
        (ids === null || ids.includes(info.run_id)),
    );
    if (this.showsNothing) return {};
    const from = Number(page_token ?? 0);
    const to = from + Math.min(max_results, this.pageRuns);
    return { runs: found.slice(from, to), ...(to < found.length ? { next_page_token: String(to) } : {}) };
  }
}
