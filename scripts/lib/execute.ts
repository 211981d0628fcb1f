import { spawn } from "node:child_process";

export const REPORT_EVERY_MS = 3000;
const TAIL_CHARS = 2000;

/**
 * Runs a command to its end; repeats its latest line every few seconds, so that a long silence is never a doubt. It
 * ends with this process.
 * @returns what it said last
 * @throws Error with that, if the command fails or cannot be run
 */
export async function execute(
  command: string,
  args: readonly string[],
  report: (line: string) => void,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const started = Date.now();
  let output = "";
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env });
  const end = () => child.kill();
  process.once("exit", end);
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-TAIL_CHARS);
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const heartbeat = setInterval(() => {
    const latest = output.trimEnd().split("\n").at(-1)?.trim().slice(0, 100) ?? "";
    report(`  ${Math.round((Date.now() - started) / 1000)} s: ${latest || "working"}`);
  }, REPORT_EVERY_MS);
  try {
    const code = await new Promise<number | null>((done, fail) => {
      child.once("error", fail);
      child.once("close", done);
    });
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} failed (${code}):\n${output.trim()}`);
    return output;
  } finally {
    clearInterval(heartbeat);
    process.removeListener("exit", end);
  }
}
