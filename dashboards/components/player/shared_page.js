/* Puts the player on the page of a link that was shared, outside of Streamlit. */
const place = document.getElementById("data");
if (place) {
  const data = JSON.parse(place.textContent);
  const root = document.querySelector(".player");
  root.querySelector(".tabs").hidden = true;
  new Player(root, data);
}
