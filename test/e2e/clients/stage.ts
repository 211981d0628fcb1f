import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import * as z from "zod";
import type { MlflowVersion } from "../../../scripts/lib/mlflow-install.ts";
import { pythonEnv } from "../../../scripts/lib/python-env.ts";
import { installBeside } from "../../lib/beside-mlflow.ts";
import { programArguments } from "../../lib/python-host.ts";

/** The parts of a training, each a module in this folder. */
export const PARTS = [
  "fluent",
  "client",
  "reading",
  "autolog",
  "search_study",
  "lightning_logger",
  "host",
] as const;
export type Part = (typeof PARTS)[number] | "models" | "resume";

/** What a part read back, by its own words. */
export type Noted = Record<string, unknown>;

const answer = z.union([
  z.object({ middle: z.literal(true) }),
  z.object({ noted: z.record(z.string(), z.unknown()) }),
  z.object({ error: z.string() }),
]);

export type Stage = {
  /**
   * Plays a part in an experiment of its own.
   * @param how.middle happens when half of the part is done; the training stands still meanwhile
   * @throws Error with the Python traceback, where the training failed
   */
  play(
    part: Part,
    experiment: string,
    how?: { middle?: () => Promise<void>; given?: unknown },
  ): Promise<Noted>;
  stop(): Promise<void>;
};

/** MLflow's unmodified client with trainings to play, in a process of its own, set up as any training is. */
export async function openStage(
  version: MlflowVersion,
  server: { uri: string; token?: string },
): Promise<Stage> {
  const python = await installBeside(version, "clients");
  const env = pythonEnv({
    MLFLOW_TRACKING_URI: server.uri,
    ...(server.token ? { MLFLOW_TRACKING_TOKEN: server.token } : {}),
    PYTHONWARNINGS: "ignore",
  });
  const script = `${import.meta.dirname}/stage.py`;
  const child = spawn(python, programArguments(version, [script]), {
    stdio: ["pipe", "pipe", "ignore"],
    env,
  });
  const ended = new Promise<void>((done) => child.once("close", () => done()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const say = (line: object) => child.stdin.write(`${JSON.stringify(line)}\n`);
  return {
    play: async (part, experiment, { middle, given } = {}) => {
      say({ part, experiment, given });
      for (;;) {
        const line = await lines.next();
        if (line.done) throw new Error(`the training ended in ${part}`);
        const said = answer.parse(JSON.parse(line.value));
        if ("noted" in said) return said.noted;
        if ("error" in said) throw new Error(`${part} failed:\n${said.error}`);
        await middle?.();
        say({});
      }
    },
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
