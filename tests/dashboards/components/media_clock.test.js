import assert from "node:assert/strict";
import { test } from "node:test";

import { aheadOf, delay } from "../../../dashboards/components/player/media_clock.js";

test("a video that counts from its file's first timestamp is ahead by it", () => {
  assert.equal(aheadOf(4.992, 4.999), 4.999);
  assert.equal(aheadOf(89999.996, 89999.998), 89999.998);
});

test("a video that counts from 0 is not ahead, and neither is one whose file does", () => {
  assert.equal(aheadOf(0, 4.999), 0);
  assert.equal(aheadOf(0, 0), 0);
  assert.equal(aheadOf(0.021, 0), 0);
});

test("captions move with the video's clock", () => {
  const cues = [{ startTime: 1, endTime: 2 }];
  delay({ cues }, 5);
  assert.deepEqual(cues, [{ startTime: 6, endTime: 7 }]);
  delay({ cues: null }, 5);
});
