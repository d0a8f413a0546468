-- Makes the answers of lighttpd itself when it finds no replica. Install this file as /etc/lighttpd/sluice.lua. A 503 of a
-- replica passes unchanged: it has a Retry-After already.
local r = lighty.r
local status = r.req_item.http_status
if status ~= 502 and status ~= 503 and status ~= 504 then return 0 end
if r.resp_header["Retry-After"] then return 0 end

local path = r.req_attr["uri.path"]
if path == "/events" or path:sub(1, 8) == "/events/" then
	-- A browser that gets a 503 never comes back. This answer asks it to come back in 5 to 15 s.
	r.resp_header["Content-Type"] = "text/event-stream; charset=utf-8"
	r.resp_header["Cache-Control"] = "no-store"
	r.resp_header["Access-Control-Allow-Origin"] = r.req_header["Origin"]
	r.resp_header["Access-Control-Allow-Credentials"] = "true"
	local retry = math.random(5000, 15000)
	-- Repeats the client's cursor: some clients lose their cursor when an event has no id.
	local place = r.req_header["Last-Event-ID"]
	r.resp_body:set(
		"retry: " .. retry .. "\n" .. (place and "id: " .. place .. "\n" or "")
		.. 'event: sluice:closing\ndata: {"reason":"unavailable","retry":' .. retry .. "}\n\n"
	)
	return 200
end
r.resp_header["Content-Type"] = "application/problem+json"
r.resp_header["Retry-After"] = "2"
r.resp_body:set('{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"No replica can be reached. Try again with the same Idempotency-Key."}')
return 503
