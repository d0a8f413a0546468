// Prints the events of a channel, each once and in order, and reconnects by itself:
//
//	go run examples/subscribe.go <channel> [<last event id>]
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
	silence time.Duration // a connection without a byte for this long is lost
	onEvent func(event)
	onGap   func(json.RawMessage)
	alive   bool // an event has arrived on this connection
	ended   bool // the channel has ended
}

// token is called for each connection. An application can replace an expired token here.
func token() string { return os.Getenv("SLUICE_TOKEN") }

// run returns nil when the channel has ended, and an error after a refusal that would come again.
func (s *subscriber) run() error {
	for failures := 0; ; failures++ {
		s.alive = false
		status, retryAfter, err := s.listen()
		if s.ended {
			return nil
		}
		switch status {
		case http.StatusNoContent:
			return nil
		// Passing: no answer, an ended stream, too many requests, or a proxy that found no broker.
		case 0, 200, 408, 425, 429, 500, 502, 503, 504:
		default:
			return err
		}
		if s.alive {
			failures = 0
		}
		// The broker gives each subscriber its own retry time. Each failed attempt doubles the wait.
		longer := min(s.retry<<min(failures, 10), longestWait)
		wait := max(s.retry, longer/2+time.Duration(rand.Int63n(int64(longer/2)+1)), retryAfter)
		fmt.Fprintf(os.Stderr, "%v; reconnecting in %.1f s\n", err, wait.Seconds())
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

// watched calls came after each read.
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
	// Does not use bufio.Scanner, which fails on lines of more than 64 KiB.
	lines := bufio.NewReader(body)
	e, data := event{ID: s.lastID, Event: "message"}, []string(nil)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err // An incomplete event comes again.
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
			// Set only here: an incomplete event has to come again.
			s.lastID = e.ID
			e, data = event{ID: s.lastID, Event: "message"}, nil
		}
	}
}

func (s *subscriber) dispatch(e event) {
	if e.Event == "sluice:closing" {
		fmt.Fprintln(os.Stderr, "the broker asks the client to come back:", e.Data)
		return
	}
	s.alive = true
	s.ended = e.Event == "sluice:end"
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
		fmt.Fprintln(os.Stderr, "usage: subscribe <channel> [<last event id>]")
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
		// Events may be missing here. An application loads its state again, and then handles the events that follow.
		onGap: func(gap json.RawMessage) { out.Encode(map[string]any{"gap": gap}) },
	}
	if err := s.run(); err != nil {
		fmt.Fprintln(os.Stderr, "refused,", err)
		os.Exit(1)
	}
}
