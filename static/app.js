// A page that htmx swapped in brings its language and theme on main; htmx itself leaves
// the html element as it was.
document.addEventListener("htmx:after:swap", () => {
  const main = document.getElementById("main");
  document.documentElement.lang = main.lang;
  document.documentElement.dataset.theme = main.dataset.pageTheme;
});
