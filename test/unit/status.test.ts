import { describe, expect, test } from "vitest";
import { emptyCore, endOf } from "../../src/domain/core.ts";
import { fold } from "../../src/domain/fold.ts";
import { lostContactAt, statusOf } from "../../src/domain/status.ts";
import type { Facts, StoredEvent, TerminalStatus } from "../../src/domain/types.ts";

/** What is said, in the order in which the journal has it. Times are of whoever says it; the relay's is `accepted`. */
type Said = { type: string; at: number; accepted: number; facts: Facts };

const by = (type: string, facts: Facts, at: number, accepted: number): Said => ({
  type,
  facts,
  at,
  accepted,
});
const end = (ends: TerminalStatus, at: number, accepted = at) => by("ml.trial", { ends }, at, accepted);
const resume = (at: number, accepted = at) => by("ml.trial.start", { resumes: true }, at, accepted);
const metric = (at: number, accepted = at) => by("ml.run.metric", {}, at, accepted);
/** @param over how many of the words before the relay knew of */
const edited = (facts: Facts, over: number, at: number) => by("relay.mlflow", { ...facts, over }, at, at);
const quiet = (
  heardAt: number,
  over: number,
  at: number,
  as: "left" | "failed" | "cancelled" = "cancelled",
) => by("relay.trial.quiet", { quiet: { heardAt, as }, over }, heardAt, at);

function stateOf(said: readonly Said[]) {
  const events = said.map(
    ({ type, at, accepted, facts }, i): StoredEvent => ({
      seq: i + 1,
      id: `e${i}`,
      type,
      occurredAt: at,
      acceptedAt: accepted,
      facts,
    }),
  );
  const { core } = fold(
    { core: emptyCore, params: new Map(), tags: new Map(), metrics: new Map() },
    events,
    [],
  ).state;
  return [statusOf(core.lifecycle), endOf(core), lostContactAt(core.lifecycle)];
}

const rows = (table: [string, Said[], string, number | null, (number | null)?][]) =>
  test.each(table)("%s", (_, said, status, endedAt, lost = null) => {
    expect(stateOf(said)).toEqual([status, endedAt, lost]);
  });

describe("ends", () => {
  rows([
    ["none: it runs", [], "running", null],
    ["success outranks an earlier failure", [end("succeeded", 3), end("failed", 5)], "succeeded", 5],
    ["success outranks a later failure", [end("failed", 5), end("succeeded", 3)], "succeeded", 5],
    ["success outranks a later cancelling", [end("succeeded", 3), end("cancelled", 9)], "succeeded", 9],
    ["of one rank the later stands", [end("cancelled", 5), end("skipped", 4)], "cancelled", 5],
    ["of one rank and time the later id", [end("skipped", 4), end("cancelled", 4)], "cancelled", 4],
    ["to and fro, by rank", [end("failed", 1), end("succeeded", 2), end("failed", 3)], "succeeded", 3],
  ]);
});

describe("a resume", () => {
  rows([
    ["has an ended trial go on", [end("failed", 5), resume(6)], "running", null],
    ["can be followed by any end", [end("succeeded", 5), resume(6), end("cancelled", 8)], "cancelled", 8],
    ["by the same end again", [end("failed", 5), resume(6), end("failed", 8)], "failed", 8],
    [
      "from a machine that is behind outweighs what was accepted before",
      [end("failed", 100), resume(10, 110)],
      "running",
      null,
    ],
    [
      "from a machine that is behind leaves room for that machine's end",
      [end("failed", 100), resume(10, 110), end("succeeded", 15, 115)],
      "succeeded",
      15,
    ],
    [
      "from a machine that is ahead leaves room for another machine's end",
      [end("failed", 100), resume(200, 110), end("succeeded", 115)],
      "succeeded",
      115,
    ],
    [
      "of a trial whose end came from a machine that is ahead",
      [end("failed", 190, 100), resume(110), end("cancelled", 120)],
      "cancelled",
      120,
    ],
    [
      "is not undone by an old end that comes late",
      [end("failed", 5), resume(6, 7), end("failed", 5, 9)],
      "running",
      null,
    ],
    ["nor by one that nobody knew of", [resume(6, 7), end("failed", 5, 9)], "running", null],
    [
      "without a time of its own is followed by the next end, though that clock is behind",
      [end("failed", 5, 100), resume(110), end("succeeded", 25, 120)],
      "succeeded",
      25,
    ],
    [
      "and comes after what was accepted before it, though that clock is ahead",
      [end("failed", 900, 100), resume(110)],
      "running",
      null,
    ],
    [
      "and after what was accepted before it and waited in the queue",
      [resume(110), end("failed", 900, 100)],
      "running",
      null,
    ],
    [
      "of two the later accepted counts",
      [end("failed", 1), resume(6), end("failed", 7), resume(3, 8), end("succeeded", 4, 9)],
      "succeeded",
      4,
    ],
    [
      "that waited in the queue is not later than one that was accepted after it",
      [end("failed", 1), end("failed", 8), resume(9), resume(6)],
      "running",
      null,
    ],
    [
      "nor has an end stand that the other outweighs",
      [end("failed", 1), end("failed", 8), resume(9), end("skipped", 10), resume(6)],
      "skipped",
      10,
    ],
    [
      "that waited in the queue is not later than an end that was accepted after it",
      [end("failed", 1), end("succeeded", 8), resume(6)],
      "succeeded",
      8,
    ],
    [
      "is not undone by an end that was accepted before it and waited in the queue",
      [resume(10, 110), end("failed", 100)],
      "running",
      null,
    ],
  ]);
});

describe("what is taken from MLflow", () => {
  const finished: Facts = { ends: "succeeded", endedAt: 50 };
  rows([
    [
      "stands over the trainer's words that were known",
      [end("failed", 60), edited(finished, 1, 70)],
      "succeeded",
      50,
    ],
    [
      "outranks nothing that the trainer says next",
      [edited(finished, 0, 70), end("cancelled", 80)],
      "cancelled",
      80,
    ],
    ["though that clock is behind", [edited(finished, 0, 70), end("failed", 20, 80)], "failed", 20],
    [
      "and though it was said while the run was being read",
      [end("failed", 60), edited(finished, 0, 70)],
      "failed",
      60,
    ],
    ["is set aside by a resume", [edited(finished, 0, 70), resume(20, 80)], "running", null],
    ["and by one that was not known", [resume(20, 60), edited(finished, 0, 70)], "running", null],
    [
      "as going on outweighs an end, until the trainer ends it again",
      [end("failed", 60), edited({ resumes: true }, 1, 70), end("failed", 20, 80)],
      "failed",
      20,
    ],
    [
      "twice: the later one stands",
      [edited(finished, 0, 70), edited({ ends: "failed", endedAt: 71 }, 1, 80)],
      "failed",
      71,
    ],
    ["is not undone by metrics", [edited(finished, 0, 70), metric(80)], "succeeded", 50],
  ]);
});

describe("a finding that the trainer is silent", () => {
  rows([
    ["closes what runs, when it was last heard", [metric(5), quiet(5, 1, 60)], "cancelled", 5, 5],
    ["or only marks it", [metric(5), quiet(5, 1, 60, "left")], "running", null, 5],
    ["stands until the trainer is heard", [metric(5), quiet(5, 1, 60), metric(70)], "running", null],
    ["though by a clock that is behind", [metric(5), quiet(5, 1, 60), metric(1, 70)], "running", null],
    [
      "and though it was accepted before the finding",
      [metric(5), quiet(5, 1, 60), metric(59)],
      "running",
      null,
    ],
    [
      "or came before it into the journal, unknown to it",
      [metric(5), metric(59), quiet(5, 1, 60)],
      "running",
      null,
    ],
    ["gives way to an end", [metric(5), quiet(5, 1, 60), end("succeeded", 4, 70)], "succeeded", 4],
    ["and to one of MLflow's", [quiet(5, 0, 60), edited({ ends: "failed", endedAt: 8 }, 1, 70)], "failed", 8],
    [
      "is over when MLflow's run goes on",
      [quiet(5, 0, 60), edited({ resumes: true }, 1, 70)],
      "running",
      null,
    ],
    [
      "comes again after that",
      [quiet(5, 0, 60), edited({ resumes: true }, 1, 70), quiet(5, 2, 130)],
      "cancelled",
      5,
      5,
    ],
    [
      "after an end that is from before a resume by its clock alone has it stand",
      [metric(5), resume(10, 11), end("failed", 7, 15), quiet(15, 3, 60, "left")],
      "failed",
      7,
    ],
    [
      "until the trainer is heard",
      [metric(5), resume(10, 11), end("failed", 7, 15), quiet(15, 3, 60, "left"), metric(70)],
      "running",
      null,
    ],
    [
      "but not where more was heard after that end",
      [resume(10, 11), end("failed", 7, 15), metric(20), quiet(20, 3, 60, "left")],
      "running",
      null,
      20,
    ],
    [
      "nor where that end was accepted before the resume, and waited in the queue",
      [resume(10, 20), end("failed", 7, 15), quiet(15, 2, 60, "left")],
      "running",
      null,
      15,
    ],
    [
      "between an end and a resume changes neither",
      [end("failed", 4), resume(5), quiet(5, 2, 60), resume(70), end("failed", 80)],
      "failed",
      80,
    ],
  ]);
});
