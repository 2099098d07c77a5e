/* Links with `download`, so that the browser saves a file under the recording's name. A file that is not made yet is
   asked for first, so that a refusal is told here instead of being saved as a file. */
const CAPTIONED = new Set(["srt", "vtt", "zip"]);
const SPOKEN = new Set(["txt", "docx"]);

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".downloads");
  const form = root.querySelector("form");
  const news = root.querySelector(".news");
  const { files, captions, text } = data;

  for (const spot of root.querySelectorAll("[data-text]")) spot.textContent = text[spot.dataset.text];
  root.querySelector("summary").textContent = text.captions;
  if (form.dataset.filled !== data.files[0].url) {
    form.dataset.filled = data.files[0].url;
    for (const input of form.querySelectorAll("input")) {
      if (input.type === "checkbox") input.defaultChecked = input.checked = captions[input.name];
      else input.defaultValue = input.value = captions[input.name];
    }
  }

  const address = (url, format) => {
    const asked = new URLSearchParams();
    for (const input of form.querySelectorAll("input")) {
      const value = input.type === "checkbox" ? input.checked : input.valueAsNumber;
      const seen = CAPTIONED.has(format) || (SPOKEN.has(format) && input.name === "speakers");
      if (seen && value !== captions[input.name]) asked.set(input.name, value);
    }
    return asked.size ? `${url}?${asked}` : url;
  };

  const say = (words, trouble = false) => {
    news.textContent = words;
    news.hidden = !words;
    news.classList.toggle("trouble", trouble);
  };

  const fetchFirst = async (link, format) => {
    if (CAPTIONED.has(format) && !form.reportValidity()) return;
    const url = address(link.dataset.url, format);
    link.setAttribute("aria-busy", "true");
    const slow = setTimeout(() => say(text.making.replace("{format}", format.toUpperCase())), 400);
    try {
      const answer = await fetch(url, { method: "HEAD" });
      if (answer.ok) {
        say("");
        save(url, link.download);
      } else say(await why(url), true);
    } catch {
      say(text.away, true);
    } finally {
      clearTimeout(slow);
      link.removeAttribute("aria-busy");
    }
  };

  const why = async (url) => {
    const answer = await fetch(url);
    const told = answer.ok ? null : await answer.json().catch(() => null);
    return told?.error?.message ?? text.away;
  };

  const save = (url, name) => {
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
  };

  root.querySelector("ul").replaceChildren(
    ...files.map(({ url, name, format, about }) => {
      const item = document.createElement("li");
      item.innerHTML =
        '<a><b></b><span class="small"></span><svg viewBox="0 0 24 24" aria-hidden="true">' +
        '<path d="M12 4v11m0 0-5-5m5 5 5-5M5 20h14"/></svg></a>';
      const link = item.firstChild;
      link.href = url;
      link.download = name;
      link.dataset.format = format;
      link.dataset.url = url;
      link.querySelector("b").textContent = format.toUpperCase();
      link.querySelector("span").textContent = about;
      if (format !== "file") {
        link.addEventListener("click", (event) => {
          event.preventDefault();
          if (link.getAttribute("aria-busy") !== "true") fetchFirst(link, format);
        });
      }
      return item;
    }),
  );

  const showAddresses = () => {
    for (const link of root.querySelectorAll("li a")) link.href = address(link.dataset.url, link.dataset.format);
  };
  form.oninput = showAddresses;
  form.onreset = () => setTimeout(showAddresses);
  form.onsubmit = (event) => event.preventDefault();
  showAddresses();
}
