import type { Reporter, TestModule } from "vitest/node";

/** Ends a run with one plain line, `12 passed, 0 failed`. A file that cannot be loaded counts as one failed test. */
export class CountReporter implements Reporter {
  #passed = 0;
  #failed = 0;

  onInit(): void {
    // After every other reporter's summary.
    process.once("exit", () => console.log(`${this.#passed} passed, ${this.#failed} failed`));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.#passed = 0;
    this.#failed = unhandledErrors.length;
    for (const module of modules) {
      const failures = [...module.children.allTests("failed")].length;
      this.#passed += [...module.children.allTests("passed")].length;
      this.#failed += failures === 0 && !module.ok() ? 1 : failures;
    }
  }
}
