import type { Ask } from "./ask.ts";

/** An answer with ids by their names, and without what no two servers have in common. */
export type Answer = { status: number; type: string; body: unknown };

const GENERATED_NAME = /^[a-z]+-[a-z]+-\d{1,4}$/;
/** Beside its words an error of MLflow's newest says what class it is of, and an experiment in which workspace it is. */
const LEFT_OUT = new Set(["sqlstate", "error_class", "workspace"]);
const TIMES = new Set([
  "creation_time",
  "last_update_time",
  "creation_timestamp_ms",
  "last_updated_timestamp_ms",
]);
/** An infinity is kept by MLflow's database as the greatest double. */
const INFINITIES = new Map([
  [Number.MAX_VALUE, "Infinity"],
  [-Number.MAX_VALUE, "-Infinity"],
]);
/** A set as Python prints it, in an order that changes with each start. */
const SET = /(?<=\{)'[^}]*'(?=\})/g;
/** Stands for the words of MLflow's database. */
export const DATABASE_WORDS = "<what the database said>";
/** What its database said, which stands in a message from here on. */
const DATABASE = /(?<=already exists\.) Error: .*$/s;
const ONLY_DATABASE = /^\((?:raised as|sqlite3\.).*$/s;
/** Where a message names an experiment. */
const NAMED = /(?<=experiment |with id |id=|ID ')\d+(?![\w.])/g;
const RUN_ID = /(?:m-)?[0-9a-f]{32}/g;
const ARTIFACTS = /^mlflow-artifacts:\/(\d+)/;

type Send = (
  path: string,
  init: { method: string; body?: string; headers: Record<string, string> },
) => Promise<Response>;

/** A server that the transcript is played to. It knows the ids it gave by the transcript's names. */
export class Server {
  readonly #send: Send;
  readonly #ids = new Map<string, string>();
  readonly #names = new Map<string, string>();

  constructor(send: Send) {
    this.#send = send;
  }

  async ask(ask: Ask): Promise<Answer> {
    const response = await this.#send(this.#pathOf(ask), {
      method: ask.method,
      ...(ask.body === undefined ? {} : { body: this.#bodyOf(ask.body) }),
      headers: ask.contentType === null ? {} : { "content-type": ask.contentType },
    });
    const type = response.headers.get("content-type")?.split(";")[0] ?? "";
    const text = await response.text();
    if (type !== "application/json") return { status: response.status, type, body: "" };
    // What MLflow's page asks is answered with bare words.
    const body: unknown = JSON.parse(text.replace(/: ?(NaN|-?Infinity)\b/g, ':"$1"'));
    if (ask.keeps !== undefined) this.#keep(ask.keeps, body);
    return { status: response.status, type, body: this.#normal(body, "") };
  }

  #pathOf({ prefix, path, query }: Ask): string {
    const given = new URLSearchParams();
    for (const [name, values] of Object.entries(query))
      for (const value of [values].flat()) given.append(name, this.#withIds(value));
    return `${prefix}${this.#withIds(path)}${given.size === 0 ? "" : `?${given}`}`;
  }

  #bodyOf(body: unknown): string {
    return this.#withIds(typeof body === "string" ? body : JSON.stringify(body));
  }

  #withIds(text: string): string {
    return text.replace(/@[a-z]\w*/g, (name) => this.#ids.get(name) ?? name);
  }

  #keep(name: string, body: unknown): void {
    const id = idIn(body);
    if (id === null) throw new Error(`no id for ${name} in ${JSON.stringify(body)}`);
    this.#ids.set(name, id);
    this.#names.set(id, name);
  }

  #normal(value: unknown, key: string): unknown {
    if (Array.isArray(value)) return byKey(value.map((item) => this.#normal(item, key)));
    if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value).filter(([name]) => !LEFT_OUT.has(name));
      return Object.fromEntries(entries.map(([name, inner]) => [name, this.#normal(inner, name)]));
    }
    if (TIMES.has(key)) return "<time>";
    if (typeof value === "number") return INFINITIES.get(value) ?? value;
    return typeof value === "string" ? this.#normalText(value, key) : value;
  }

  #normalText(text: string, key: string): string {
    if (key === "experiment_id") return this.#names.get(text) ?? "<experiment>";
    if (GENERATED_NAME.test(text)) return "<name>";
    const named = text
      .replace(RUN_ID, (id) => this.#names.get(id) ?? "<run>")
      .replace(ARTIFACTS, (_, id) => `mlflow-artifacts:/${this.#names.get(id) ?? "<experiment>"}`);
    if (key !== "message") return named;
    return named
      .replace(DATABASE, "")
      .replace(ONLY_DATABASE, DATABASE_WORDS)
      .replace(SET, (set) => set.split(", ").toSorted().join(", "))
      .replace(NAMED, (id) => this.#names.get(id) ?? id);
  }
}

/** What has a key in the order of the keys: MLflow's database gives it as it happens to lie there. */
function byKey(items: unknown[]): unknown[] {
  const keyOf = (item: unknown) =>
    typeof item === "object" && item !== null && "key" in item ? String(item.key) : "";
  return items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : Number(keyOf(a) > keyOf(b))));
}

/** The id that something was made under. */
function idIn(body: unknown): string | null {
  if (typeof body !== "object" || body === null) return null;
  if ("experiment_id" in body && typeof body.experiment_id === "string") return body.experiment_id;
  if ("model" in body) return infoIn(body.model, "model_id");
  return "run" in body ? infoIn(body.run, "run_id") : null;
}

function infoIn(made: unknown, name: string): string | null {
  if (typeof made !== "object" || made === null || !("info" in made)) return null;
  const { info } = made;
  if (typeof info !== "object" || info === null) return null;
  const found = Object.entries(info).find(([field]) => field === name)?.[1];
  return typeof found === "string" ? found : null;
}
