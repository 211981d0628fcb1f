import type { ArtifactView } from "../../../answers/artifacts.ts";
import { el } from "../curves/dom.ts";
import { previewOf } from "./preview.ts";

type Listed = { files: ArtifactView[]; mlflow: "listed" | "away" | "none"; next_cursor: string | null };

/** Lists a trial's files once they come into view: what only MLflow has is asked for there. */
export function listFilesOf(section: HTMLElement): void {
  const trial = section.dataset.trial ?? "";
  const place = el("div", {});
  section.querySelector(".hint")?.replaceWith(place);
  const observer = new IntersectionObserver((entries) => {
    if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
    observer.disconnect();
    void list(place, trial, "");
  });
  observer.observe(section);
}

async function list(place: HTMLElement, trial: string, path: string, cursor?: string): Promise<void> {
  const query = new URLSearchParams({ limit: "200" });
  if (path !== "") query.set("path", path);
  if (cursor !== undefined) query.set("cursor", cursor);
  try {
    const response = await fetch(`/api/trials/${encodeURIComponent(trial)}/artifacts?${query}`);
    if (!response.ok) throw new Error(`The relay answers ${response.status}.`);
    show(place, trial, path, await response.json());
  } catch {
    const failed = el("p", { className: "problem", textContent: "The files could not be listed." });
    place.append(offer("Try again", () => list(place, trial, path, cursor), failed));
  }
}

/** A button that goes on with a list, and goes away with what is said beside it. */
function offer(words: string, read: () => Promise<void>, ...said: Node[]): HTMLElement {
  const button = el("button", { type: "button", textContent: words });
  const all = el("div", {}, ...said, button);
  button.addEventListener("click", () => {
    all.remove();
    void read();
  });
  return all;
}

function show(place: HTMLElement, trial: string, path: string, { files, mlflow, next_cursor }: Listed): void {
  const items = files.map((file) =>
    el("li", {}, ...(file.is_dir ? directory(trial, file) : one(trial, file))),
  );
  if (items.length === 0 && path === "")
    place.append(el("p", { className: "hint", textContent: "No files." }));
  else place.append(el("ul", { className: "files" }, ...items));
  if (mlflow === "away")
    place.append(
      el("p", { className: "hint", textContent: "MLflow is away: files that only it has are not listed." }),
    );
  if (next_cursor === null) return;
  place.append(offer("More", () => list(place, trial, path, next_cursor)));
}

function directory(trial: string, { path }: ArtifactView): Node[] {
  const inside = el("div", {});
  const details = el("details", {}, el("summary", { textContent: nameOf(path) }), inside);
  details.addEventListener("toggle", () => void list(inside, trial, path), { once: true });
  return [details];
}

function one(trial: string, { path, bytes, state, error }: ArtifactView): Node[] {
  const address = path.split("/").map(encodeURIComponent).join("/");
  const its = `/api/trials/${encodeURIComponent(trial)}`;
  const words = [bytes === null ? "" : size(bytes), state === "delivered" ? "" : (state ?? ""), error ?? ""];
  return [
    el("a", { href: `${its}/artifacts/${address}`, textContent: nameOf(path), download: nameOf(path) }),
    el("small", { textContent: ` ${words.filter((word) => word !== "").join(" · ")} ` }),
    ...previewOf(`${its}/previews/${address}`, nameOf(path)),
  ];
}

const nameOf = (path: string) => path.split("/").at(-1) ?? path;

const UNITS = ["B", "kB", "MB", "GB"];

function size(bytes: number): string {
  const unit = Math.min(UNITS.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
  return `${Number((bytes / 1000 ** unit).toPrecision(3))} ${UNITS[unit]}`;
}
