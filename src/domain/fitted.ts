import { compact } from "./facts.ts";
import { flatSize, pointBytes, utf8Length } from "./flat-size.ts";
import { MAX_EVENT_BYTES, MAX_EVENT_POINT_BYTES } from "./limits.ts";
import { fieldPath, tagPath } from "./notes.ts";
import { MAX_SAID } from "./problems.ts";
import type { CheckedEvent } from "./reading.ts";
import { cutToBytes, MAX_FIELD_BYTES } from "./room.ts";
import type { Facts, Json } from "./types.ts";
import { type Warning, warning } from "./warnings.ts";

/** The parts of an event's facts that grow with what it holds. */
const PARTS = ["fields", "params", "tags", "finals", "about"] as const;
type Part = (typeof PARTS)[number];
type Leaf = { part: Part; name: string; value: Json; bytes: number; isOwn: boolean };

/** The event's own fields of no more than this, as an experiment's name, come first: nothing else can mend them. */
const SMALL_FIELD_BYTES = 2_000;
/** What is left of a text that is cut to less than this says nothing. */
const MIN_TEXT_BYTES = 200;
/** Quotes, a colon, a comma. */
const PUNCTUATION_BYTES = 4;
/** For the names of the parts, and what else an event says. */
const ENVELOPE_BYTES = 1_000;

const FACTS_RULE = `is more than an event has room for, which may hold ${MAX_EVENT_BYTES} bytes, names flattened, not counting metrics with a step`;
const POINTS_RULE = `is more than an event has room for, which may hold ${MAX_EVENT_POINT_BYTES} bytes of metrics with a step, names flattened`;

/**
 * The event as far as the journal has room for it, since a start or an end that is lost for its size cannot be mended:
 * its small details are whole, long texts are cut, and what is then too much is left out. A metric event with too many
 * metrics is left as it is: it can be sent again in parts.
 */
export function fitted(event: CheckedEvent): CheckedEvent {
  const size = flatSize(event);
  const warnings = [...event.warnings];
  let unsaid = event.unsaid;
  const warn = (...said: Parameters<typeof warning>) => {
    if (warnings.length < MAX_SAID) warnings.push(warning(...said));
    else unsaid++;
  };
  const { facts } = event;
  const isLarge = facts !== null && size.facts > MAX_EVENT_BYTES;
  const hasMany = facts?.announces === true && size.points > MAX_EVENT_POINT_BYTES;
  if (!isLarge && !hasMany) return event;
  const fit = isLarge ? fittedFacts(facts, warn) : facts;
  const points = hasMany ? fittedPoints(event.points, warn) : event.points;
  return { ...event, facts: fit, points, warnings, unsaid };
}

type Warn = (path: readonly PropertyKey[], value: unknown, rule: string, action: Warning["action"]) => void;

function fittedFacts(facts: Facts, warn: Warn): Facts {
  const leaves = PARTS.flatMap((part) => leavesOf(facts, part)).sort((a, b) => rank(a) - rank(b));
  const texts: Record<string, Json> = {};
  const leftOut = new Set<string>();
  let left = MAX_EVENT_BYTES - ENVELOPE_BYTES;
  for (const [index, { part, name, value, bytes }] of leaves.entries()) {
    const share = Math.min(left / (leaves.length - index), MAX_FIELD_BYTES);
    const isCut = part === "fields" && typeof value === "string" && bytes > share && share >= MIN_TEXT_BYTES;
    if (!isCut && bytes <= left) {
      left -= bytes;
      continue;
    }
    if (isCut) {
      texts[name] = cutToBytes(value, share - jsonBytes(name) - PUNCTUATION_BYTES);
      left -= share;
    } else leftOut.add(idOf(part, name));
    warn(pathOf(facts, part, name), value, FACTS_RULE, isCut ? "cut" : "left_out");
  }
  const fitting = <T>(part: Part, map: Record<string, T> | undefined) =>
    map && Object.fromEntries(Object.entries(map).filter(([name]) => !leftOut.has(idOf(part, name))));
  const { fields, params, tags, finals, about } = facts;
  const fit = {
    ...facts,
    fields: { ...fitting("fields", fields), ...texts },
    params: fitting("params", params),
    tags: fitting("tags", tags),
    finals: fitting("finals", finals),
    about: fitting("about", about),
  };
  return compact(fit) ?? {};
}

function leavesOf(facts: Facts, part: Part): Leaf[] {
  return Object.entries<Json>(facts[part] ?? {}).map(([name, value]) => {
    const bytes = jsonBytes(name) + jsonBytes(value) + PUNCTUATION_BYTES;
    const isOwn = part === "fields" || (part === "tags" && Object.hasOwn(facts.fields ?? {}, name));
    return { part, name, value, bytes, isOwn };
  });
}

function rank({ isOwn, bytes }: Leaf): number {
  return isOwn && bytes <= SMALL_FIELD_BYTES ? 0 : bytes;
}

function idOf(part: Part, name: string): string {
  return `${part}.${name}`;
}

/** Where in its event a leaf was sent. */
function pathOf(facts: Facts, part: Part, name: string): string[] {
  if (part === "fields") return fieldPath(name);
  if (part === "tags") return tagPath({ facts }, name);
  return [{ params: "parameters", finals: "metrics", about: "metadata" }[part], name];
}

/** The first metrics that there is room for. */
function fittedPoints(points: CheckedEvent["points"], warn: Warn): CheckedEvent["points"] {
  let left = MAX_EVENT_POINT_BYTES;
  return points.filter((point) => {
    left -= pointBytes(point);
    if (left < 0) warn(["metrics", point.key], point.value, POINTS_RULE, "left_out");
    return left >= 0;
  });
}

function jsonBytes(value: Json): number {
  return utf8Length(JSON.stringify(value));
}
