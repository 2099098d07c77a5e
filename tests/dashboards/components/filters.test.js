import assert from "node:assert/strict";
import { test } from "node:test";

import { Filters } from "../../../dashboards/components/job_list/filters.js";

class Field {
  value = "";
  open = false;
  onchange = () => {};
}

test("Enter in the name's field, which is a change and then a submission, asks for the name once", () => {
  // a second time, it would be asked for after the browser's Back had taken it away
  Object.assign(globalThis, { HTMLDetailsElement: Field });
  /** @type {Record<string, Field>} */
  const fields = {};
  const form = {
    onsubmit: (/** @type {object} */ event) => event,
    querySelector: (/** @type {string} */ path) => (fields[path] ??= new Field()),
  };
  /** @type {unknown[]} */
  const asked = [];
  new Filters(/** @type {any} */ (form), (changes) => asked.push(changes));
  let prevented = 0;
  fields["[name=name]"].value = " meeting 3 ";
  fields["[name=name]"].onchange();
  form.onsubmit({ preventDefault: () => (prevented += 1) });
  assert.deepEqual(asked, [{ name: "meeting 3" }]);
  assert.equal(prevented, 1);
});
