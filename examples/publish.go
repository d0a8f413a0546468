// Publishes one event exactly once, even when an answer is lost:
//
//	SLUICE_KEY=$(cat .publish-key) go run examples/publish.go <channel> <data> [<event>]
//
// With SLUICE_CLOSE=true the event is the last one of its channel.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand"
	"net/http"
	"os"
	"strconv"
	"time"
)

const attempts = 8

type event struct {
	Channel string `json:"channel"`
	Event   string `json:"event,omitempty"`
	Data    any    `json:"data"`
	Close   bool   `json:"close,omitempty"`
}

type published struct {
	Channel string `json:"channel"`
	ID      string `json:"id"`
}

// passing is a failure after which another attempt may succeed: no answer, or a status such as 503.
type passing struct {
	error
	retryAfter time.Duration
}

var client = &http.Client{Timeout: 5 * time.Second}

// publish returns the event's channel and id once the event is in the log.
func publish(e event) (published, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return published{}, err
	}
	// Every attempt has the same key: after a failure, the event may have been published.
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		return published{}, err
	}
	for attempt := 1; ; attempt++ {
		answer, err := post(body, fmt.Sprintf("%x", key))
		var again passing
		if err == nil || !errors.As(err, &again) || attempt == attempts {
			return answer, err
		}
		wait := time.Duration(mathrand.Int63n(int64(100 * time.Millisecond << attempt)))
		if wait < again.retryAfter {
			wait = again.retryAfter
		}
		time.Sleep(wait)
	}
}

func post(body []byte, idempotencyKey string) (published, error) {
	url := os.Getenv("SLUICE_URL")
	if url == "" {
		url = "http://localhost:3000"
	}
	request, err := http.NewRequest(http.MethodPost, url+"/publish", bytes.NewReader(body))
	if err != nil {
		return published{}, err
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("SLUICE_KEY"))
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", idempotencyKey)
	response, err := client.Do(request)
	if err != nil {
		return published{}, passing{error: err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return published{}, passing{error: err}
	}
	switch response.StatusCode {
	case http.StatusOK:
		var answer published
		err := json.Unmarshal(text, &answer)
		return answer, err
	// Passing failures: too many publishes, the log is down, or a proxy found no broker.
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return published{}, passing{fmt.Errorf("%s: %s", response.Status, text), time.Duration(seconds) * time.Second}
	default:
		return published{}, fmt.Errorf("%s: %s", response.Status, text)
	}
}

func main() {
	if len(os.Args) < 3 || os.Getenv("SLUICE_KEY") == "" {
		fmt.Fprintln(os.Stderr, "usage: SLUICE_KEY=<a publish key> publish <channel> <data> [<event>]")
		os.Exit(2)
	}
	e := event{Channel: os.Args[1], Data: os.Args[2], Close: os.Getenv("SLUICE_CLOSE") != ""}
	if len(os.Args) > 3 {
		e.Event = os.Args[3]
	}
	answer, err := publish(e)
	if err != nil {
		fmt.Fprintln(os.Stderr, "not published,", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(answer)
}
