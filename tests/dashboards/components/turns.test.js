import assert from "node:assert/strict";
import { test } from "node:test";

import { inTurn } from "../../../dashboards/components/shared/turns.js";

test("two components that hear the same news ask one after the other, and not while the page runs", async () => {
  const app = { dataset: { testScriptState: "notRunning" } };
  Object.assign(globalThis, { window: globalThis, document: { querySelector: () => app } });
  /** @type {string[]} */
  const asked = [];
  const later = (/** @type {number} */ pause_ms) => new Promise((done) => setTimeout(done, pause_ms));
  inTurn(() => asked.push("notice"));
  inTurn(() => asked.push("recording"));
  assert.deepEqual(asked, ["notice"]); // at once
  app.dataset.testScriptState = "running";
  await later(350);
  assert.deepEqual(asked, ["notice"]);
  app.dataset.testScriptState = "notRunning";
  await later(100);
  assert.deepEqual(asked, ["notice", "recording"]);
});
