/*
 * A plain form, so that password managers know it; sent by fetch, so that a refusal is shown in place. Which fields
 * it has comes with the data: it lets in, makes accounts, and sets passwords.
 */
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".login");
  const form = root.querySelector("form");
  const send = form.querySelector("[type=submit]");
  const problem = form.querySelector(".problem");
  const text = data.text;
  if (!form.wtReady) {
    form.wtReady = true;
    form.action = data.action;
    form.querySelector(".fields").append(...data.fields.map(field));
    send.textContent = text.submit;
    form.onsubmit = (event) => {
      event.preventDefault();
      submit();
    };
    const first = form.querySelector("input:not([type=hidden])");
    if (matchMedia("(pointer: fine)").matches) first?.focus({ preventScroll: true });
    if (data.provider) {
      const link = root.querySelector(".provider");
      link.hidden = false;
      link.textContent = data.provider;
      link.href = `/auth/oidc/start?next=${encodeURIComponent(location.pathname + location.search)}`;
    }
  }

  function field(wanted) {
    const input = document.createElement("input");
    const { label, hint, ...attributes } = wanted;
    for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
    if (wanted.type === "hidden") return input;
    const around = document.createElement("label");
    const words = document.createElement("span");
    words.textContent = label;
    around.append(words, wanted.type === "password" ? secret(input) : input);
    if (hint) {
      const small = document.createElement("span");
      small.className = "hint muted small";
      small.textContent = hint;
      around.append(small);
    }
    return around;
  }

  function secret(input) {
    const both = document.createElement("span");
    const reveal = document.createElement("button");
    both.className = "secret";
    reveal.type = "button";
    reveal.className = "button quiet reveal";
    reveal.textContent = text.show;
    reveal.setAttribute("aria-pressed", "false");
    reveal.onclick = () => {
      const shown = input.type === "text";
      input.type = shown ? "password" : "text";
      reveal.textContent = shown ? text.show : text.hide;
      reveal.setAttribute("aria-pressed", String(!shown));
    };
    both.append(input, reveal);
    return both;
  }

  function say(message) {
    problem.textContent = message;
    problem.hidden = false;
    send.disabled = false;
    send.textContent = text.submit;
  }

  async function submit() {
    send.disabled = true;
    send.textContent = text.busy;
    problem.hidden = true;
    let answer;
    try {
      answer = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { Accept: "application/json" },
        redirect: "manual",
      });
    } catch {
      return say(text.offline);
    }
    if (answer.ok || answer.type === "opaqueredirect") {
      return data.leave_to ? location.replace(data.leave_to) : location.reload();
    }
    const body = await answer.json().catch(() => null);
    const known = answer.status === 401 ? text.wrong : body?.error?.message;
    say(known ? known[0].toUpperCase() + known.slice(1) : `${text.refused} (${answer.status})`);
    form.querySelector("[name=password]")?.select();
  }
}
