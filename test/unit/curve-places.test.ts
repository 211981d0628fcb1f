import { expect, test } from "vitest";
import { earliest, latest, readPlaces } from "../../src/dashboard/client/lib/curves/places.ts";

test("what of several answers is known of all is the earliest of each trial", () => {
  expect(earliest(["5-90", "7-20"].map(readPlaces))).toEqual([5, 20]);
  expect(earliest([readPlaces("3")])).toEqual([3]);
  expect(earliest([])).toEqual([0]);
});

test("what of two answers is known of either is the latest of each trial", () => {
  expect(latest(readPlaces("5-90"), readPlaces("7-20"))).toEqual([7, 90]);
  expect(latest(readPlaces("5-90"), [])).toEqual([5, 90]);
});
