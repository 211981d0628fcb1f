import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { withLock } from "../../scripts/lib/lock.ts";
import { ensureMlflow, type MlflowVersion } from "../../scripts/lib/mlflow-install.ts";
import { ROOT } from "../../scripts/lib/wrangler.ts";

/**
 * Installs `requirements/<name>.txt` beside MLflow, once: `npm start` has no use for it.
 * @returns the path of the environment's python
 */
export async function installBeside(version: MlflowVersion, name: "postgres" | "clients"): Promise<string> {
  const python = await ensureMlflow(version);
  const requirements = join(ROOT, "requirements", `${name}.txt`);
  const marker = join(dirname(dirname(python)), `${name}.txt`);
  const wanted = await readFile(requirements, "utf8");
  const isInstalled = async () => (await readFile(marker, "utf8").catch(() => null)) === wanted;
  await withLock(
    `${marker}.lock`,
    async () => {
      if (await isInstalled()) return;
      const quietly = ["--disable-pip-version-check", "--quiet", "--no-compile"];
      await promisify(execFile)(python, ["-m", "pip", "install", ...quietly, "-r", requirements]);
      await writeFile(marker, wanted);
    },
    () => {},
  );
  return python;
}
