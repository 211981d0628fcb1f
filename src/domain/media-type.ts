/** Of what trainers write; by anything else nothing is claimed. */
const BY_EXTENSION: Readonly<Record<string, string>> = {
  txt: "text/plain",
  log: "text/plain",
  md: "text/markdown",
  csv: "text/csv",
  tsv: "text/tab-separated-values",
  html: "text/html",
  json: "application/json",
  yaml: "application/yaml",
  yml: "application/yaml",
  xml: "application/xml",
  pdf: "application/pdf",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
  mp4: "video/mp4",
  wav: "audio/wav",
  zip: "application/zip",
  gz: "application/gzip",
};

const UNKNOWN = "application/octet-stream";
const MAX_CHARS = 200;
/** RFC 9110, section 8.3.1, with parameters. */
const FORM = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?: *; *[\w-]+=(?:[\w!#$&^.+-]+|"[^"\\\p{Cc}]*"))*$/u;

/** A file's media type: as it was given, else by the end of its name. Its bytes are never looked at. */
export function mediaTypeOf(given: string | null, path: string): string {
  if (given !== null && given.length <= MAX_CHARS && FORM.test(given) && given !== UNKNOWN) return given;
  const name = path.split("/").at(-1) ?? "";
  const extension = name.includes(".") ? (name.split(".").at(-1) ?? "") : "";
  return (
    (Object.hasOwn(BY_EXTENSION, extension.toLowerCase()) && BY_EXTENSION[extension.toLowerCase()]) || UNKNOWN
  );
}
