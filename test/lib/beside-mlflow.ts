import { readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withLock } from "../../scripts/lib/lock.ts";
import { ensureMlflow, type MlflowVersion } from "../../scripts/lib/mlflow-install.ts";
import { installPackages, requirementsFile } from "../../scripts/lib/python-packages.ts";

/**
 * Installs `requirements/<name>.txt` beside MLflow, once: `npm start` has no use for it.
 * @returns the path of the environment's python
 */
export async function installBeside(version: MlflowVersion, name: "postgres" | "clients"): Promise<string> {
  const python = await ensureMlflow(version);
  const requirements = requirementsFile(name);
  const marker = join(dirname(dirname(python)), `${name}.txt`);
  const wanted = await readFile(requirements, "utf8");
  const isInstalled = async () => (await readFile(marker, "utf8").catch(() => null)) === wanted;
  await withLock(
    `${marker}.lock`,
    async () => {
      if (await isInstalled()) return;
      await installPackages(python, requirements, () => {});
      await writeFile(marker, wanted);
    },
    () => {},
  );
  return python;
}
