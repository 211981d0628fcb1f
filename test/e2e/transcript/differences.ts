import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../../scripts/lib/wrangler.ts";
import type { Ask } from "./ask.ts";
import { type Answer, DATABASE_WORDS } from "./server.ts";

type Pair = { ask: Ask; mlflow: Answer; relay: Answer };

/** Where the relay means to answer otherwise than MLflow, by what docs/mlflow-differences.md calls it. */
const DIFFERENCES: Readonly<Record<string, (pair: Pair) => boolean>> = {
  "Spoiled values": ({ ask, relay }) =>
    ask.spoils === true && isInvalid(relay) && /^Invalid (value|page token)/.test(messageOf(relay)),
  "Bodies that are no JSON object": ({ ask, relay }) =>
    typeof ask.body === "string" &&
    isInvalid(relay) &&
    messageOf(relay).startsWith("Bad Request. The body must"),
  Crashes: ({ mlflow, relay }) => mlflow.status === 500 && relay.status < 500,
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

function isInvalid(answer: Answer): boolean {
  return answer.status === 400 && codeOf(answer) === "INVALID_PARAMETER_VALUE";
}

function codeOf({ body }: Answer): unknown {
  return typeof body === "object" && body !== null && "error_code" in body ? body.error_code : null;
}

function messageOf({ body }: Answer): string {
  return typeof body === "object" && body !== null && "message" in body ? String(body.message) : "";
}
