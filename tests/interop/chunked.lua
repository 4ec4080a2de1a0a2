-- SPDX-License-Identifier: Apache-2.0
-- For mod_lua: what Apache itself sends with a length, without one: in chunks, or until the connection ends.

function download(r)
    r.content_type = "application/octet-stream"
    r:flush()
    if r.method ~= "HEAD" then
        r:sendfile(r.document_root .. "/files/" .. r.uri:match("[^/]*$"))
    end
    return apache2.OK
end
