import { ITEM_KINDS, type ItemKind } from "../../domain/letter-item.ts";
import { type Letter, settleLetters } from "../../store/delivery/dead-letters.ts";
import { type Replay, storeReplays } from "../../store/delivery/replays.ts";
import { withDeadline } from "../../waiting.ts";
import type { Deps } from "../deps.ts";
import { buriedMessage } from "../intake/bury-event.ts";
import { pokeMessage } from "../messages.ts";
import { enqueueAgain, enqueueAll, type Queues, sendPokes } from "../queues.ts";

/** What is refused again is to find its letter settled, or it would stay so. */
const REFUSED_AGAIN_MS = 5_000;

/** An operator waits for as long as it takes to send some hundreds. */
const QUEUE_TIMEOUT_MS = 5_000;

type ReplayDeps = Pick<Deps, "db" | keyof Queues | "config" | "now" | "log">;
export type ItemLetter = Letter & { kind: ItemKind; streamId: number };

/** Whether the letter holds an item of a log-batch, which can be edited. */
export function isItem(letter: Letter): letter is ItemLetter {
  return letter.streamId !== null && ITEM_KINDS.some((kind) => kind === letter.kind);
}

/**
 * Sends dead letters on their way again: an item by the journal of its trial, a message as a poke of its trial. What
 * MLflow refuses again is an open letter again.
 * @returns the ids of the letters that were replayed; others were replayed by somebody else meanwhile
 */
export async function replayLetters(deps: ReplayDeps, letters: readonly Letter[]): Promise<number[]> {
  const byStream = Map.groupBy(letters.filter(isItem), (letter) => letter.streamId);
  const replays = [...byStream].map(([streamId, own]) => ({ streamId, letters: own, edited: false }));
  const messages = letters.filter((letter) => !isItem(letter));
  return [...(await replayItems(deps, replays)), ...(await replayMessages(deps, messages))];
}

/** Sends another item in place of the one that was refused, in MLflow as well as in the relay's own record. */
export async function replayEdited(deps: ReplayDeps, letter: ItemLetter, item: object): Promise<number[]> {
  const { id, kind, streamId } = letter;
  return replayItems(deps, [{ streamId, letters: [{ id, kind, item: JSON.stringify(item) }], edited: true }]);
}

async function replayItems(deps: ReplayDeps, replays: readonly Replay[]): Promise<number[]> {
  if (replays.length === 0) return [];
  const settled = await storeReplays(deps.db, replays, deps.now());
  await sendPokes(
    deps,
    replays.map(({ streamId }) => ({ streamId, urgent: true })),
  );
  return settled;
}

/**
 * The messages go first: one too many does no harm, and one too few would leave a letter that says it was replayed.
 * @throws what the queue does, or where it takes too long
 */
async function replayMessages(deps: ReplayDeps, letters: readonly Letter[]): Promise<number[]> {
  if (letters.length === 0) return [];
  const streamIds = new Set(letters.flatMap(({ streamId }) => (streamId === null ? [] : [streamId])));
  const others = letters.flatMap(({ streamId, item }) => (streamId === null ? [buriedMessage(item)] : []));
  const sent = [
    enqueueAll(deps, [...streamIds].map(pokeMessage)),
    ...others.map(async (message) => message && enqueueAgain(deps, message, REFUSED_AGAIN_MS)),
  ];
  await withDeadline(QUEUE_TIMEOUT_MS, Promise.all(sent));
  const ids = letters.map(({ id }) => id);
  return settleLetters(deps.db, ids, "replayed", deps.now());
}
