/** One request of the transcript. In a body or query `@name` stands for an id that an earlier answer gave. */
export type Ask = {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Without its prefix: `runs/create`. Ids may stand in it too. */
  path: string;
  query: Query;
  /** A text is sent as it is. */
  body?: unknown;
  contentType: string | null;
  prefix: string;
} & More;

export type More = {
  /** Under which name the id in the answer is kept. */
  keeps?: string;
  /** Whether MLflow may take the request and store something else than what was said. */
  spoils?: true;
};

type Query = Readonly<Record<string, string | readonly string[]>>;

const PREFIX = "/api/2.0/mlflow/";
const AJAX_PREFIX = "/ajax-api/2.0/mlflow/";

export function post(path: string, body: unknown, more: More = {}): Ask {
  return { method: "POST", path, query: {}, body, contentType: "application/json", prefix: PREFIX, ...more };
}

export function get(path: string, query: Query = {}, more: More = {}): Ask {
  return { method: "GET", path, query, contentType: null, prefix: PREFIX, ...more };
}

/** By any method, with a body where there is one. */
export function send(method: Ask["method"], path: string, body?: unknown): Ask {
  return { ...post(path, body), method, contentType: body === undefined ? null : "application/json" };
}

/** What MLflow's page in the browser asks. */
export function ajax(path: string, query: Query): Ask {
  return { ...get(path, query), prefix: AJAX_PREFIX };
}

/** A body as it is, under any content type. */
export function raw(path: string, body: string, contentType: string | null = "application/json"): Ask {
  return { ...post(path, body), contentType };
}

/** An ask for a message: short. */
export function shown({ method, path, query, body }: Ask): string {
  const said =
    body === undefined ? JSON.stringify(query) : typeof body === "string" ? body : JSON.stringify(body);
  return `${method} ${path} ${said.slice(0, 300)}`;
}
