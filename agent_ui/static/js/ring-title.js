// The tab's title while it rings, for those who look at another tab: ☎ and who calls.

const title = document.title;

document.addEventListener("live:region", () => {
  const who = document.querySelector(".screen-pop h2")?.textContent.trim();
  document.title = who ? `☎ ${who}` : title;
});
