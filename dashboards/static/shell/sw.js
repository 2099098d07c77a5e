/*
 * The service worker: an offline page in place of the browser's own, and what other apps share with this one.
 *
 * It keeps the offline page and its picture, and nothing else: no recording, transcript or answer is ever cached.
 */
import { keepShared } from "./assets/unsent_store.js";

const SITE = new URL(".", location.href).pathname.replace(/\/$/, ""); // the path that the app lies below, if any
const OURS = `wt-shell${SITE}-`; // other apps may be on this host
const SHELL = `${OURS}1`;
const OFFLINE = `${SITE}/offline`;
const MARK = `${SITE}/assets/mark.svg`;
const FILES = /^\/(assets|downloads|recordings|uploads|api|v1|media|static|_stcore|auth|internal|metrics|shared)(\/|$)/;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll([OFFLINE, MARK])));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  const clean = async () => {
    for (const name of await caches.keys()) if (name.startsWith(OURS) && name !== SHELL) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== location.origin) return;
  if (request.method === "POST" && url.pathname === `${SITE}/share`) return event.respondWith(takeShared(request));
  if (url.pathname === MARK) return event.respondWith(fetch(request).catch(() => caches.match(request)));
  if (request.method !== "GET" || request.mode !== "navigate" || FILES.test(url.pathname.slice(SITE.length))) return;
  event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
});

/* The phone hands the files over in a form. They are kept in the browser until the upload page has sent them. */
async function takeShared(request) {
  try {
    const form = await request.formData();
    const files = form.getAll("recordings").filter((one) => one instanceof File && one.size);
    for (const file of files) await keepShared(file);
    return Response.redirect(`${SITE}/upload?shared=${files.length}`, 303);
  } catch {
    return Response.redirect(`${SITE}/upload?shared=failed`, 303);
  }
}
