import { MAX_FIELD_BYTES } from "./room.ts";
import { isoTime } from "./times.ts";
import type { Json, StoredEvent } from "./types.ts";
import { type Warning, warning } from "./warnings.ts";

/** What an event did not change although it said it, as its ledger tells. */
export type Note = { seq: number; warning: Warning };

const NO_ROOM = "is more than a trial's record has room for; it is in the journal only";
const TOO_LARGE = `is larger than the ${MAX_FIELD_BYTES} bytes that a trial's record keeps of a field; it is whole in the journal`;

/** The fields that have another name in the state than in the event. */
const SENT_AS: Record<string, string> = {
  end_metadata: "metadata",
  stop_metadata: "metadata",
  user: "actor",
};
const DESCRIPTION_TAG = "mlflow.note.content";

/** Something of the event that changes nothing, because something later stands. */
export function outweighed(
  event: Pick<StoredEvent, "seq">,
  path: string[],
  value: unknown,
  rule: string,
): Note {
  return { seq: event.seq, warning: warning(path, value, rule, "outweighed") };
}

/** The same of a field or tag, which go by the time of their event. */
export function olderThan(event: Pick<StoredEvent, "seq">, path: string[], value: unknown, at: number): Note {
  return outweighed(event, path, value, `is older than what was said at ${isoTime(at)}, which stands`);
}

/** Something that the state has no room for. */
export function withoutRoom(seq: number, path: string[], value: unknown): Note {
  return { seq, warning: warning(path, value, NO_ROOM, "left_out") };
}

/** A field of which the state keeps less than was sent. */
export function tooLarge(event: StoredEvent, name: string, value: Json, action: Warning["action"]): Note {
  return { seq: event.seq, warning: warning(fieldPath(name), value, TOO_LARGE, action) };
}

/** Where in its event a field was sent. */
export function fieldPath(name: string): string[] {
  return [SENT_AS[name] ?? name];
}

/** Where in its event a tag was sent. */
export function tagPath({ facts }: Pick<StoredEvent, "facts">, key: string): string[] {
  if (key === DESCRIPTION_TAG) return ["description"];
  return Object.hasOwn(facts?.fields ?? {}, key) || key.startsWith("metadata.") ? [key] : ["tags", key];
}
