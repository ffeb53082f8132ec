// A page that htmx swapped in brings its language and theme on main; htmx itself leaves
// the html element as it was.
document.addEventListener("htmx:after:swap", () => {
  const main = document.getElementById("main");
  document.documentElement.lang = main.lang;
  document.documentElement.dataset.theme = main.dataset.pageTheme;
});

// A failure that the market doesn't tell of itself, but a proxy with a page of its own, takes the place of
// nothing. The market's answers vary with what htmx asks for, and say so.
document.addEventListener("htmx:before:response", (event) => {
  const { request, response } = event.detail.ctx;
  const own = response.headers.get("Vary")?.includes("HX-Request-Type");
  if (response.status >= 500 && request.headers["HX-Request-Type"] === "partial" && !own) event.preventDefault();
});
