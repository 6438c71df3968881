// Command replayer sends pre-serialised OTLP requests over and over and says how many were accepted.
//
//	replayer grpc|http|http_gzip ADDRESS FILE SECONDS CONNECTIONS
//
// FILE holds requests, each after its length (4 bytes, little endian). With SECONDS 0 every request is sent once, in order.
// Answers are counted by status; an answer other than success ends the run. gRPC is spoken as plain
// HTTP/2, so that the sender costs little and needs nothing but the standard library.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	mode, address, seconds := os.Args[1], os.Args[2], number(os.Args[4])
	requests := load(os.Args[3], mode)
	client := &http.Client{Transport: transport(mode)}
	deadline := time.Now().Add(time.Duration(seconds) * time.Second)
	var next, sent, failed atomic.Int64
	var wait sync.WaitGroup
	begin := time.Now()
	for range number(os.Args[5]) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for failed.Load() == 0 {
				i := next.Add(1) - 1
				if seconds == 0 && i >= int64(len(requests)) || seconds > 0 && time.Now().After(deadline) {
					return
				}
				if err := send(client, mode, address, requests[i%int64(len(requests))]); err != nil {
					fmt.Fprintln(os.Stderr, err)
					failed.Add(1)
					return
				}
				sent.Add(1)
			}
		}()
	}
	wait.Wait()
	fmt.Printf("{\"requests\": %d, \"seconds\": %.3f}\n", sent.Load(), time.Since(begin).Seconds())
	if failed.Load() > 0 {
		os.Exit(1)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

func load(path, mode string) [][]byte {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	var found [][]byte
	for len(data) > 0 {
		n := binary.LittleEndian.Uint32(data)
		body := data[4 : 4+n]
		if mode == "grpc" {
			framed := make([]byte, 5, 5+len(body))
			binary.BigEndian.PutUint32(framed[1:], n)
			body = append(framed, body...)
		}
		found = append(found, body)
		data = data[4+n:]
	}
	return found
}

func transport(mode string) http.RoundTripper {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(mode != "grpc")
	protocols.SetUnencryptedHTTP2(mode == "grpc")
	return &http.Transport{
		Protocols: protocols, MaxIdleConnsPerHost: 64, DisableCompression: true, WriteBufferSize: 1 << 18,
	}
}

func send(client *http.Client, mode, address string, body []byte) error {
	url := "http://" + address + "/v1/traces"
	if mode == "grpc" {
		url = "http://" + address + "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
	}
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if mode == "grpc" {
		request.Header.Set("Content-Type", "application/grpc+proto")
		request.Header.Set("TE", "trailers")
	}
	if mode == "http_gzip" {
		request.Header.Set("Content-Encoding", "gzip")
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(response.Body)
	response.Body.Close()
	status := response.Trailer.Get("Grpc-Status") + response.Header.Get("Grpc-Status")
	if err != nil || response.StatusCode != http.StatusOK || mode == "grpc" && status != "0" {
		return fmt.Errorf("status %d %s, %q: %v", response.StatusCode, status, answer, err)
	}
	return nil
}
