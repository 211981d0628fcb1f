import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../scripts/lib/wrangler.ts";
import { type Ask, shown } from "./ask.ts";
import { type Answer, DATABASE_WORDS } from "./server.ts";

/** `isAway`: the relay's own MLflow is. */
type Pair = { ask: Ask; mlflow: Answer; relay: Answer; isAway: boolean };

/** Ids that nobody was given. */
const NOBODY = /nobody|other|9{9}|0123456789abcdef|-1/;

/** Where the relay means to answer otherwise than MLflow, by what docs/mlflow-differences.md calls it. */
const DIFFERENCES: Readonly<Record<string, (pair: Pair) => boolean>> = {
  "While MLflow is away": ({ ask, mlflow, relay, isAway }) =>
    isAway && (isUnknownNow(ask, relay) || isNotOurs(relay) || (isList(ask) && hasDefault(mlflow))),
  "Large integers": ({ mlflow, relay }) =>
    mlflow.status === 200 && /^Invalid value "?\d{16,19}"? .* whole number from/.test(messageOf(relay)),
  "Names of JavaScript's": ({ ask, relay }) =>
    shown(ask).includes("__proto__") && isInvalid(relay) && messageOf(relay).includes("__proto__"),
  "Long tags and names of runs": ({ ask, mlflow, relay }) =>
    ask.path === "runs/create" &&
    mlflow.status === 200 &&
    (messageOf(relay) === "'key' exceeds the maximum length of 250 characters" || isCut(mlflow, relay)),
  "Spoiled values": ({ ask, relay }) =>
    ask.spoils === true && isInvalid(relay) && /^Invalid (value|page token)/.test(messageOf(relay)),
  "Bodies that are no JSON object": ({ ask, relay }) =>
    typeof ask.body === "string" &&
    isInvalid(relay) &&
    messageOf(relay).startsWith("Bad Request. The body must"),
  Crashes: ({ mlflow, relay }) => mlflow.status === 500 && relay.status < 500,
  HTML: ({ mlflow, relay }) =>
    mlflow.type === "text/html" && relay.type !== "text/html" && mlflow.status === relay.status,
  "Its database's words": ({ mlflow, relay }) =>
    messageOf(mlflow) === DATABASE_WORDS &&
    mlflow.status === relay.status &&
    codeOf(mlflow) === codeOf(relay),
  "Hosts of artifacts": ({ ask, mlflow, relay }) =>
    ask.path === "experiments/create" &&
    messageOf(mlflow).includes("scheme addresses a host") &&
    relay.status === 200,
};

/** What a difference is called; null for one that nobody means. */
export function meaningOf(pair: Pair): string | null {
  return Object.entries(DIFFERENCES).find(([, covers]) => covers(pair))?.[0] ?? null;
}

export const MEANT = Object.keys(DIFFERENCES);

/** The names of the differences in the document. */
export function documented(): string[] {
  const text = readFileSync(join(ROOT, "docs/mlflow-differences.md"), "utf8");
  return [...text.matchAll(/^\| ([^|:]+?) \|/gm)].map(([, name]) => name ?? "");
}

/** Whether what is alike but for a long text is cut there. */
function isCut(mlflow: Answer, relay: Answer): boolean {
  const [whole, cut] = [mlflow, relay].map(({ body }) => JSON.stringify(body));
  const [letter] = /([nv])\1{200}/.exec(cut ?? "")?.[1] ?? "";
  if (letter === undefined || whole === cut) return false;
  const long = new RegExp(`${letter}{200,}`, "g");
  return whole?.replace(long, "") === cut?.replace(long, "");
}

function isUnknownNow(ask: Ask, relay: Answer): boolean {
  return relay.status === 503 && codeOf(relay) === "TEMPORARILY_UNAVAILABLE" && NOBODY.test(shown(ask));
}

function isNotOurs(relay: Answer): boolean {
  return relay.status === 501 && codeOf(relay) === "NOT_IMPLEMENTED";
}

function isList({ path }: Ask): boolean {
  return path === "experiments/search";
}

/** MLflow's first experiment, which nobody made. */
function hasDefault({ body }: Answer): boolean {
  return JSON.stringify(body).includes('"name":"Default"');
}

function isInvalid(answer: Answer): boolean {
  return answer.status === 400 && codeOf(answer) === "INVALID_PARAMETER_VALUE";
}

function codeOf({ body }: Answer): unknown {
  return typeof body === "object" && body !== null && "error_code" in body ? body.error_code : null;
}

function messageOf({ body }: Answer): string {
  return typeof body === "object" && body !== null && "message" in body ? String(body.message) : "";
}
