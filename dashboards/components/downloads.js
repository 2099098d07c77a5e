/* Plain links with `download`, so that the browser saves the file under the recording's name. */
export default function ({ data, parentElement }) {
  const list = parentElement.querySelector(".downloads ul");
  list.replaceChildren(
    ...data.files.map(({ url, name, format, about }) => {
      const item = document.createElement("li");
      item.innerHTML =
        '<a><b></b><span class="small"></span><svg viewBox="0 0 24 24" aria-hidden="true">' +
        '<path d="M12 4v11m0 0-5-5m5 5 5-5M5 20h14"/></svg></a>';
      const link = item.firstChild;
      link.href = url;
      link.download = name;
      link.dataset.format = format;
      link.querySelector("b").textContent = format.toUpperCase();
      link.querySelector("span").textContent = about;
      return item;
    }),
  );
}
