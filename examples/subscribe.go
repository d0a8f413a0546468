// Prints the events of a channel, each once and in order, whatever happens on the way:
//
//	go run examples/subscribe.go <channel> [<the id to go on after>]
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const longestWait = 30 * time.Second

type event struct {
	ID    string `json:"id"`
	Event string `json:"event"`
	Data  string `json:"data"`
}

type subscriber struct {
	url     string
	lastID  string
	retry   time.Duration
	silence time.Duration // no byte for so long: the connection is lost
	onEvent func(event)
	onGap   func(json.RawMessage)
	alive   bool // something has come over this connection
}

// token is asked for each connection: one that has expired meanwhile is replaced here.
func token() string { return os.Getenv("SLUICE_TOKEN") }

// run returns nil when the channel has nothing more to say (204), and an error when asking again is of no use.
func (s *subscriber) run() error {
	for failures := 0; ; failures++ {
		s.alive = false
		status, retryAfter, err := s.listen()
		switch status {
		case http.StatusNoContent:
			return nil
		// No answer; or the stream has ended; or there were too many; or a proxy found no broker.
		case 0, 200, 408, 425, 429, 500, 502, 503, 504:
		default:
			return err
		}
		if s.alive {
			failures = 0
		}
		// The broker spreads its readers by the retry of each. It is doubled where nothing comes of coming back.
		longer := min(s.retry<<min(failures, 10), longestWait)
		wait := max(s.retry, longer/2+time.Duration(rand.Int63n(int64(longer/2)+1)), retryAfter)
		fmt.Fprintf(os.Stderr, "%v; again in %.1f s\n", err, wait.Seconds())
		time.Sleep(wait)
	}
}

func (s *subscriber) listen() (status int, retryAfter time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	timer := time.AfterFunc(s.silence, func() { cancel(fmt.Errorf("silence for %v", s.silence)) })
	defer timer.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return http.StatusBadRequest, 0, err
	}
	request.Header.Set("Accept", "text/event-stream")
	if t := token(); t != "" {
		request.Header.Set("Authorization", "Bearer "+t)
	}
	if s.lastID != "" {
		request.Header.Set("Last-Event-ID", s.lastID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		text, _ := io.ReadAll(response.Body)
		return response.StatusCode, time.Duration(seconds) * time.Second, fmt.Errorf("%s: %s", response.Status, text)
	}
	err = s.read(watched{response.Body, func() { timer.Reset(s.silence) }})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return response.StatusCode, 0, fmt.Errorf("the stream ended: %w", err)
}

// watched says when bytes have come.
type watched struct {
	io.Reader
	came func()
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.came()
	return n, err
}

func (s *subscriber) read(body io.Reader) error {
	// Not with a bufio.Scanner: it gives up on lines of more than 64 KiB.
	lines := bufio.NewReader(body)
	e, data := event{ID: s.lastID, Event: "message"}, []string(nil)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err // What was cut off comes again.
		}
		line = strings.TrimRight(line, "\r\n")
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "event":
			e.Event = value
		case "data":
			data = append(data, value)
		case "id":
			e.ID = value
		case "retry":
			if ms, err := strconv.ParseUint(value, 10, 31); err == nil {
				s.retry = time.Duration(ms) * time.Millisecond
			}
		case "":
			if line != "" {
				continue // a comment
			}
			if data != nil {
				e.Data = strings.Join(data, "\n")
				s.dispatch(e)
			}
			// Only now: an event that breaks off has to come again.
			s.lastID = e.ID
			e, data = event{ID: s.lastID, Event: "message"}, nil
		}
	}
}

func (s *subscriber) dispatch(e event) {
	if e.Event == "sluice:closing" {
		fmt.Fprintln(os.Stderr, "the broker asks to come back:", e.Data)
		return
	}
	s.alive = true
	if e.Event == "sluice:gap" {
		s.onGap(json.RawMessage(e.Data))
	} else if !strings.HasPrefix(e.Event, "sluice:") {
		s.onEvent(e)
	}
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: subscribe <channel> [<the id to go on after>]")
		os.Exit(2)
	}
	// Three heartbeats of the broker (SLUICE_HEARTBEAT).
	seconds, err := strconv.ParseFloat(env("SLUICE_SILENCE", "45"), 64)
	if err != nil {
		fmt.Fprintln(os.Stderr, "SLUICE_SILENCE:", err)
		os.Exit(2)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	s := &subscriber{
		url:     env("SLUICE_URL", "http://localhost:3000") + "/events/" + url.PathEscape(os.Args[1]),
		lastID:  strings.Join(os.Args[2:], ""),
		retry:   2 * time.Second,
		silence: time.Duration(seconds * float64(time.Second)),
		onEvent: func(e event) { out.Encode(e) },
		// Events may be missing here. An application loads its state anew, and goes on with what follows.
		onGap: func(gap json.RawMessage) { out.Encode(map[string]any{"gap": gap}) },
	}
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, "refused,", err)
		os.Exit(1)
	}
}
