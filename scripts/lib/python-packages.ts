import { join, resolve } from "node:path";
import { execute } from "./execute.ts";

/** Where `requirements/<name>.txt` is. */
export function requirementsFile(name: string): string {
  return join(resolve(import.meta.dirname, "../.."), "requirements", `${name}.txt`);
}

/** What of pip's settings says from where, or what, packages are to be had: uv reads none of them. */
const SETS_SOURCE = /\b(?:[\w-]*index[\w-]*|proxy|constraint)=/;

const PIP = ["-m", "pip", "--disable-pip-version-check"];
// Most of it is never imported; what is, Python compiles then.
const PIP_INSTALL = [...PIP, "install", "--progress-bar", "off", "--no-compile", "-r"];

type Report = (line: string) => void;

/**
 * Installs what a file of requirements names into the virtual environment of a Python: by uv, which takes a tenth of
 * pip's time, and by pip where pip has settings that uv would not keep to, or where uv fails for whatever reason.
 * @throws Error with the end of pip's output if pip fails too
 */
export async function installPackages(python: string, requirements: string, report: Report): Promise<void> {
  const whyNot = await installByUv(python, requirements, report);
  if (whyNot === null) return;
  report(`pip installs, not uv: ${whyNot}`);
  await execute(python, [...PIP_INSTALL, requirements], report);
}

/** @returns why it did not; null: all is installed */
async function installByUv(python: string, requirements: string, report: Report): Promise<string | null> {
  try {
    if (SETS_SOURCE.test(await execute(python, [...PIP, "config", "list"], report)))
      return "pip is told where to install from";
    await execute(python, [...PIP_INSTALL, requirementsFile("uv")], report);
    const install = ["-m", "uv", "pip", "install", "--python", python, "-r", requirements];
    // It trusts whom the machine trusts, as pip does.
    await execute(python, install, report, { ...process.env, UV_SYSTEM_CERTS: "true" });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
