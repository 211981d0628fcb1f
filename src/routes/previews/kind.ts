import { mediaTypeOf } from "../../domain/media-type.ts";

/** How a file is shown: as what its media type says, and never as what its bytes look like. */
export type PreviewKind = "text" | "json" | "csv" | "tsv" | "markdown" | "image";

const KINDS: Readonly<Record<string, PreviewKind>> = {
  "application/json": "json",
  "text/csv": "csv",
  "text/tab-separated-values": "tsv",
  "text/markdown": "markdown",
  "application/yaml": "text",
  "application/xml": "text",
  "application/javascript": "text",
  "image/png": "image",
  "image/jpeg": "image",
  "image/gif": "image",
  "image/webp": "image",
  "image/svg+xml": "image",
};

/**
 * The kind of a file, and its media type without parameters; null where there is nothing to show.
 * @param given its media type, as the relay or MLflow has it
 */
export function previewOf(given: string, path: string): { kind: PreviewKind; type: string } | null {
  const type =
    plain(given) === "text/plain" ? plain(mediaTypeOf(null, path)) : plain(mediaTypeOf(given, path));
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (kind !== undefined) return { kind, type };
  return type.startsWith("text/") || plain(given) === "text/plain" || TEXTS.test(path)
    ? { kind: "text", type: "text/plain" }
    : null;
}

/** MLflow writes a model's own files under such names. */
const TEXTS = /(^|\/)(MLmodel|[^/]+\.(toml|ini|cfg|py|js|ts|sh|jsonl|conf))$/;

function plain(type: string): string {
  return (type.split(";")[0] ?? "").trim().toLowerCase();
}
