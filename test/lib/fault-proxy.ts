import { once } from "node:events";
import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { freePort } from "../../scripts/lib/mlflow-server.ts";
import { isBatchTag } from "../../src/mlflow/plan.ts";

/** What happens to a call in place of simply passing. */
export type Fault =
  /** The socket is closed and MLflow hears nothing. */
  | { kind: "refuse" }
  /** MLflow hears nothing, and the caller waits in vain. */
  | { kind: "drop" }
  /** MLflow does it, and the answer never arrives. */
  | { kind: "cut" }
  /** MLflow hears nothing, and something else answers. */
  | ({ kind: "answer" } & Spoken)
  /** MLflow does it, and something else answers. */
  | ({ kind: "masked" } & Spoken)
  /** MLflow gets it twice, as from a load balancer that lost the first answer. */
  | { kind: "twice" }
  /** MLflow gets another body, and answers to that. */
  | { kind: "altered"; alter: (body: string) => string }
  /** MLflow gets it only after so long, whether or not the caller still waits. */
  | { kind: "stall"; ms: number };

type Spoken = { status: number; headers?: Record<string, string>; body: string };

/** Which calls: `path` is an endpoint such as "runs/create", or several; `body` a text within the request's body. */
export type Match = {
  path?: string | readonly string[];
  body?: string;
  times?: number;
  after?: number;
  /** Asked of every call that matches otherwise. */
  when?: (call: { path: string; body: string }) => boolean;
};

export type Call = {
  path: string;
  body: string;
  at: number;
  /** Until the answer; null before it. */
  ms: number | null;
  status: number | null;
  fault: Fault["kind"] | null;
};

type Rule = Match & { fault: () => Fault; seen: number; hits: number };

const PREFIX = "/api/2.0/mlflow/";

/**
 * Connections to MLflow are kept, for to open one costs it as much as a short call, but for less time than MLflow and
 * the relay keep those that nothing comes over, which is 5 s: none is written to while it is being closed.
 */
const IDLE_MS = 2_000;
/** Larger bodies get a connection of their own: 100 MB over a kept one took MLflow minutes in place of seconds. */
const MOST_KEPT_BYTES = 1_000_000;
/** And whoever calls the proxy is the one to close. */
const IDLE_CALLER_MS = 60_000;

/** A proxy before MLflow that fails on demand and remembers every call. */
export class FaultProxy {
  readonly uri: string;
  readonly calls: Call[] = [];
  /** The most calls that MLflow had at one time. */
  mostAtOnce = 0;
  #atOnce = 0;
  readonly #target: URL;
  readonly #server = createServer({ keepAliveTimeout: IDLE_CALLER_MS }, (request, response) => {
    void this.#handle(request, response).catch(() => response.destroy());
  });
  readonly #agent = new Agent({ keepAlive: true, timeout: IDLE_MS });
  #rules: Rule[] = [];

  readonly #headers: Record<string, string>;

  private constructor(target: string, port: number, headers: Record<string, string>) {
    this.#target = new URL(target);
    this.#headers = headers;
    this.uri = `http://127.0.0.1:${port}`;
  }

  /** @param headers are added to every call */
  static async start(target: string, headers: Record<string, string> = {}): Promise<FaultProxy> {
    const port = await freePort();
    const proxy = new FaultProxy(target, port, headers);
    await proxy.listen();
    return proxy;
  }

  /**
   * From now on matching calls fail so: all of them, or `times` of them, the first `after` of them not counted. Of
   * several rules the oldest that applies wins.
   * @param fault one for all, or drawn anew for each
   * @returns how often it has struck
   */
  fail(match: Match, fault: Fault | (() => Fault)): { hits: () => number } {
    const rule = { ...match, fault: typeof fault === "function" ? fault : () => fault, seen: 0, hits: 0 };
    this.#rules.push(rule);
    return { hits: () => rule.hits };
  }

  /** Takes all faults away. */
  heal(): void {
    this.#rules = [];
  }

  /** The calls of an endpoint so far. */
  callsTo(path: string): Call[] {
    return this.calls.filter((call) => call.path === path);
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** Listens again where it did before `stop`, if it does not. */
  async listen(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(Number(new URL(this.uri).port), "127.0.0.1");
    await once(this.#server, "listening");
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const path = (request.url ?? "").replace(PREFIX, "").replace(/\?.*/, "");
    const fault = this.#strike(path, body.toString());
    const call: Call = {
      path,
      body: body.toString(),
      at: Date.now(),
      ms: null,
      status: null,
      fault: fault?.kind ?? null,
    };
    this.calls.push(call);
    switch (fault?.kind) {
      case "refuse":
        request.socket.destroy();
        return;
      case "drop":
        return;
      case "answer":
        call.status = fault.status;
        response.writeHead(fault.status, fault.headers).end(fault.body);
        return;
      case "stall":
        await sleep(fault.ms);
        break;
      case "twice":
        await this.#ask(request, body);
        break;
    }
    const answer = await this.#ask(
      request,
      fault?.kind === "altered" ? Buffer.from(fault.alter(body.toString())) : body,
    );
    const said = fault?.kind === "masked" ? fault : answer;
    call.status = said.status;
    call.ms = Date.now() - call.at;
    if (fault?.kind === "cut") request.socket.destroy();
    else response.writeHead(said.status, said.headers).end(said.body);
  }

  /** MLflow's own answer. */
  async #ask(request: IncomingMessage, body: Buffer) {
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.#atOnce);
    return this.#forward(request, body).finally(() => this.#atOnce--);
  }

  #strike(path: string, body: string): Fault | null {
    for (const rule of this.#rules) {
      if (rule.path !== undefined && ![rule.path].flat().includes(path)) continue;
      if (rule.body !== undefined && !body.includes(rule.body)) continue;
      if (rule.when && !rule.when({ path, body })) continue;
      if (rule.seen++ < (rule.after ?? 0)) continue;
      if (rule.times !== undefined && rule.hits >= rule.times) continue;
      rule.hits++;
      return rule.fault();
    }
    return null;
  }

  /** MLflow's security middleware looks at Host, so it gets its own. */
  async #forward(incoming: IncomingMessage, body: Buffer) {
    const { method, url, headers } = incoming;
    const { hostname, port, host } = this.#target;
    const outgoing = httpRequest({
      hostname,
      port,
      ...(method ? { method } : {}),
      ...(url ? { path: url } : {}),
      headers: {
        ...headers,
        ...this.#headers,
        host,
        ...(body.length > 0 ? { "content-length": body.length } : {}),
      },
      agent: body.length < MOST_KEPT_BYTES && this.#agent,
    });
    outgoing.end(body);
    const [answer]: [IncomingMessage] = await once(outgoing, "response").then(([first]) => [first]);
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    const { "transfer-encoding": _, ...kept } = answer.headers;
    return { status: answer.statusCode ?? 502, headers: kept, body: Buffer.concat(chunks) };
  }
}

/** A batch's run and the tags that say that MLflow has it, without anything that was in it. */
function emptied(batch: string): string {
  const { run_id, tags } = z
    .object({ run_id: z.string(), tags: z.array(z.object({ key: z.string(), value: z.string() })) })
    .parse(JSON.parse(batch));
  return JSON.stringify({ run_id, tags: tags.filter(({ key }) => isBatchTag(key)) });
}

const JSON_TYPE = { "content-type": "application/json" };
const HTML_TYPE = { "content-type": "text/html; charset=utf-8" };

function mlflowError(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Extract<Fault, { kind: "answer" }> {
  return {
    kind: "answer",
    status,
    headers: { ...JSON_TYPE, ...headers },
    body: JSON.stringify({ error_code: code, message }),
  };
}

/** Failures as real servers and what stands before them answer. */
export const FAULTS = {
  refuse: { kind: "refuse" },
  drop: { kind: "drop" },
  cut: { kind: "cut" },
  /** MLflow seems to have taken the call, and has not heard of it. */
  lie: { kind: "answer", status: 200, headers: JSON_TYPE, body: "{}" },
  /** MLflow lost what was in a batch, and still shows that it had it. */
  lost: { kind: "altered", alter: emptied },
  unavailable: mlflowError(503, "TEMPORARILY_UNAVAILABLE", "The service is down for maintenance"),
  internalError: mlflowError(500, "INTERNAL_ERROR", "Something went wrong"),
  queuePool: mlflowError(
    400,
    "BAD_REQUEST",
    "(sqlalchemy.exc.TimeoutError) QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00",
  ),
  invalidParameter: mlflowError(400, "INVALID_PARAMETER_VALUE", "Invalid value for a metric"),
  badGateway: { kind: "answer", status: 502, headers: HTML_TYPE, body: "<h1>502 Bad Gateway</h1>" },
  forbidden: { kind: "answer", status: 403, headers: HTML_TYPE, body: "<h1>403 Forbidden</h1>" },
  tooMany: (seconds: number) =>
    mlflowError(429, "REQUEST_LIMIT_EXCEEDED", "Slow down", { "retry-after": String(seconds) }),
  twice: { kind: "twice" },
  /** What MLflow answers to writes while its PostgreSQL is a standby. */
  readOnly: mlflowError(
    400,
    "BAD_REQUEST",
    "(raised as a result of Query-invoked autoflush; consider using a session.no_autoflush block if this flush is occurring prematurely)\n(psycopg2.errors.ReadOnlySqlTransaction) cannot execute INSERT in a read-only transaction\n\n[SQL: INSERT INTO",
  ),
  /** What it answers amid a migration of its database. */
  undefinedTable: mlflowError(
    400,
    "BAD_REQUEST",
    '(psycopg2.errors.UndefinedTable) relation "latest_metrics" does not exist\nLINE 2: FROM latest_metrics \n             ^\n\n[SQL: SELECT',
  ),
  html: (status: number) => ({
    kind: "answer",
    status,
    headers: HTML_TYPE,
    body: `<html><title>${status}</title><h1>${status}</h1></html>`,
  }),
  unauthorized: {
    kind: "answer",
    status: 401,
    headers: JSON_TYPE,
    body: JSON.stringify({ message: "Sign in first" }),
  },
  redirect: { kind: "answer", status: 302, headers: { location: "https://login.test/" }, body: "" },
  empty: { kind: "answer", status: 200, body: "" },
  /** Of another route, as from a cache with too short a key. */
  otherRoute: { kind: "answer", status: 200, headers: JSON_TYPE, body: '{"experiments":[]}' },
} satisfies Record<string, Fault | ((number: number) => Fault)>;

/** The same answer, but MLflow has done it. */
export function afterCommit(fault: Extract<Fault, { kind: "answer" }>): Fault {
  return { ...fault, kind: "masked" };
}
