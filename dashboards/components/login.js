/* A plain form, so that password managers know it; sent by fetch, so that a refusal is shown in place. */
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".login");
  const form = root.querySelector("form");
  const send = form.querySelector("[type=submit]");
  const problem = form.querySelector(".problem");
  const reveal = form.querySelector(".reveal");
  const text = data.text;
  for (const place of form.querySelectorAll("[data-text]")) place.textContent = text[place.dataset.text];
  if (!form.wtReady) {
    form.wtReady = true;
    send.textContent = text.submit;
    reveal.textContent = text.show;
    reveal.onclick = () => {
      const shown = form.password.type === "text";
      form.password.type = shown ? "password" : "text";
      reveal.textContent = shown ? text.show : text.hide;
      reveal.setAttribute("aria-pressed", String(!shown));
    };
    form.onsubmit = (event) => {
      event.preventDefault();
      submit();
    };
    if (matchMedia("(pointer: fine)").matches) form.elements.name.focus({ preventScroll: true });
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
    if (answer.ok || answer.type === "opaqueredirect") return location.reload();
    const body = await answer.json().catch(() => null);
    const known = answer.status === 401 ? text.wrong : body?.error?.message;
    say(known ?? `${text.refused} (${answer.status})`);
    form.password.select();
  }
}
