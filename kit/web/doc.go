// Package web is the server side of HTTP that all modules share: pages and REST
// routes that may fail, forms and their one-time tokens, sealed cookies, the
// protection that wraps every route, and the in-memory transport between modules of
// one process. It knows no module.
package web
