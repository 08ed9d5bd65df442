# Sourced: hands pip's own settings on to uv, which does not read them.
pip_setting() {
    "${venv:-.venv}/bin/python" -m pip config list 2>/dev/null |
        sed -n "s/^\(:env:\.\|global\.\|install\.\)$1='\(.*\)'\$/\2/p" | head -n 1
}
if [ -z "${UV_FIND_LINKS:-}" ]; then
    UV_FIND_LINKS=$(pip_setting find-links)
    [ -n "$UV_FIND_LINKS" ] && export UV_FIND_LINKS || unset UV_FIND_LINKS
fi
if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
    UV_DEFAULT_INDEX=$(pip_setting index-url)
    [ -n "$UV_DEFAULT_INDEX" ] && export UV_DEFAULT_INDEX || unset UV_DEFAULT_INDEX
fi
if [ -z "${SSL_CERT_FILE:-}" ]; then
    SSL_CERT_FILE=$(pip_setting cert)
    [ -n "$SSL_CERT_FILE" ] && export SSL_CERT_FILE || unset SSL_CERT_FILE
fi
