import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod";
import { ensureMlflow } from "../../scripts/lib/mlflow-install.ts";
import { pythonEnv } from "../../scripts/lib/python-env.ts";
import { programArguments } from "./python-host.ts";

const SCRIPT = resolve(import.meta.dirname, "mlflow-judge.py");

export type Question = { of: "runs" | "experiments"; filter: string; order_by: string[] };

const verdict = z.union([
  z.object({ refusal: z.string(), code: z.string() }),
  z.object({
    /** Type, key, comparator in upper case and value. */
    clauses: z.array(z.tuple([z.string(), z.string(), z.string(), z.unknown()])),
    /** Type, key, and whether ascending. */
    order: z.array(z.tuple([z.string(), z.string(), z.boolean()])),
  }),
]);
export type Verdict = z.output<typeof verdict>;

/** MLflow's own parser of searches in a process of its own. */
export type Judge = { ask(questions: readonly Question[]): Promise<Verdict[]>; stop(): Promise<void> };

export async function mlflowJudge(): Promise<Judge> {
  const python = await ensureMlflow("3");
  const child = spawn(python, programArguments("3", [SCRIPT]), {
    stdio: ["pipe", "pipe", "inherit"],
    env: pythonEnv(),
  });
  const ended = once(child, "close");
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(questions) {
      child.stdin.write(`${JSON.stringify(questions)}\n`);
      const { value, done } = await answers.next();
      if (done) throw new Error("MLflow's parser ended before it answered");
      return z.array(verdict).parse(JSON.parse(value));
    },
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}
