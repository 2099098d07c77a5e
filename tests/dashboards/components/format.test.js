import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { languageName } from "../../../dashboards/components/shared/format.js";

afterEach(() => delete globalThis.document);

test("a language is named in the page's language", () => {
  assert.equal(languageName("de"), "German");
  globalThis.document = { documentElement: { lang: "de" } };
  assert.equal(languageName("fr"), "Französisch");
});

test("a code that names no language is shown as it is", () => {
  assert.equal(languageName("x"), "x");
});
