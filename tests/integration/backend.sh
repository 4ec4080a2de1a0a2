#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# For mod_cgi: answers a request with what it was, and says in fields for Apache's log what it read.
kind=${REQUEST_URI#/}
kind=${kind%%-*}
case $kind in
early) body=unread ;;
*) body=$(od -An -v -tx1 | tr -d ' \n') ;;
esac
case $kind in
bare*) printf 'Status: %s\r\nX-Target: %s\r\nX-Body: x%s\r\n\r\n' "${kind#bare}" "$REQUEST_URI" "$body" ;;
*) printf 'Content-Type: text/plain\r\nX-Target: %s\r\nX-Body: x%s\r\n\r\n%s %s' "$REQUEST_URI" "$body" "$REQUEST_METHOD" "$REQUEST_URI" ;;
esac
