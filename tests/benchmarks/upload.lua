-- wrk: uploads the file named by IMG as the form field `file`, and prints one line of figures.
local file = io.open(os.getenv("IMG"), "rb")
local picture = file:read("*a")
file:close()
wrk.method = "POST"
wrk.headers["Content-Type"] = "multipart/form-data; boundary=bench"
wrk.body = '--bench\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' .. picture .. "\r\n--bench--\r\n"

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("FIGURES %f %f %f %d\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, failed))
end
