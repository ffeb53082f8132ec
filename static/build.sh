#!/bin/sh
# Builds what is committed and embedded: the stylesheet and htmx. Needs node; the market
# itself doesn't.
set -eu
cd "$(dirname "$0")"
[ -d node_modules ] || npm ci --no-audit --no-fund
NO_COLOR=1 npx --no-install tailwindcss --input app.src.css --output app.css --minify
sed '/^\/\/# sourceMappingURL=/d' node_modules/htmx.org/dist/htmx.min.js > htmx.min.js
