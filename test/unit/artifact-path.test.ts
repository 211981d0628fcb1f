import { describe, expect, test } from "vitest";
import { artifactPathProblem, nameInMlflow } from "../../src/domain/artifact-path.ts";

describe("MLflow calls", () => {
  /** As its `validate_path_is_safe` has it. */
  test.each([
    ["model/weights.bin", "model/weights.bin"],
    ["a%1795764t", "a%1795764t"],
    ["a%1Fb%7F", "a%1fb%7f"],
    ["step%20%x", "step %x"],
    ["a%252e", "a."],
    ["a%", "a%"],
    ["a%zz", "a%zz"],
    ["a%C3%A9b", "a\u00e9b"],
    ["a%80b%c3", "a\ufffdb\ufffd"],
    ["a%2fb", "a/b"],
    ["a%0a%09b", "ab"],
    ["a?b", "a?b"],
    ["a?", "a"],
    ["a??", "a??"],
    ["a;", "a"],
    ["a;/b", "a;/b"],
    ["a;?b", "a?b"],
    ["a%3B%3F", "a"],
  ])("%j %j", (said, kept) => {
    expect(nameInMlflow(said)).toBe(kept);
    expect(nameInMlflow(kept)).toBe(kept);
  });
});

test.each(["a%20b", "a?", "a;", "a%1F"])("%j is no path, since it would be another there", (path) => {
  expect(artifactPathProblem(path)).toMatch(/MLflow would call it/);
});

test.each(["a%1f", "100%.txt", "a%1795764t", "a?b", "a;b"])("%j is a path", (path) => {
  expect(artifactPathProblem(path)).toBeNull();
});
