// Checks a log's head and a record's proof with Go's own checksum database code, the reference of both formats.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type input struct {
	Key    string   // verifier key
	Note   string   // signed head
	Bodies [][]byte // all records
	Proof  string   // tlog-proof of one of them
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	var in input
	fail(json.NewDecoder(os.Stdin).Decode(&in))
	verifier, err := note.NewVerifier(in.Key)
	fail(err)
	opened, err := note.Open([]byte(in.Note), note.VerifierList(verifier))
	fail(err)
	lines := strings.Split(opened.Text, "\n")
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, index := range indexes {
			out = append(out, stored[index])
		}
		return out, nil
	})
	for n, body := range in.Bodies {
		hashes, err := tlog.StoredHashes(int64(n), body, read)
		fail(err)
		stored = append(stored, hashes...)
	}
	size := int64(len(in.Bodies))
	root, err := tlog.TreeHash(size, read)
	fail(err)
	if lines[1] != fmt.Sprint(size) || lines[2] != root.String() {
		fail(fmt.Errorf("head says %v, Go says %d %v", lines[1:3], size, root))
	}
	var index int64
	var extra string
	head := strings.Split(strings.Split(in.Proof, "\n\n")[0], "\n")
	_, err = fmt.Sscanf(head[1], "extra %s", &extra)
	fail(err)
	_, err = fmt.Sscanf(head[2], "index %d", &index)
	fail(err)
	var path tlog.RecordProof
	for _, line := range head[3:] {
		step, err := tlog.ParseHash(line)
		fail(err)
		path = append(path, step)
	}
	body, err := base64.StdEncoding.DecodeString(extra)
	fail(err)
	fail(tlog.CheckRecord(path, size, root, index, tlog.RecordHash(body)))
	fmt.Println(opened.Sigs[0].Name, size, index)
}
