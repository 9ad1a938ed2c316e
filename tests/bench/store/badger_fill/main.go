// badger_fill DIRECTORY RECORDS TEMPLATE: a Badger database (v2) as the reference fills it: for
// each certificate its DER, its data record and the token it was issued for.  RECORDS counts all
// three kinds.  TEMPLATE is a certificate (DER) whose serial number, the 16 bytes 0x41 'A', is
// replaced in each copy.
package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log"
	"math/big"
	"os"
	"strconv"

	"github.com/dgraph-io/badger/v2"
)

// The length of the table's name and of the key, little-endian, before each.
func key(table, k string) []byte {
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, uint16(len(table)))
	b.WriteString(table)
	binary.Write(&b, binary.LittleEndian, uint16(len(k)))
	b.WriteString(k)
	return b.Bytes()
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: badger_fill DIRECTORY RECORDS TEMPLATE")
	}
	n, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	template, err := os.ReadFile(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	mark := bytes.Repeat([]byte{'A'}, 16)
	at := bytes.Index(template, mark)
	if at < 0 {
		log.Fatal("the template has not the serial number to be replaced")
	}
	db, err := badger.Open(badger.DefaultOptions(os.Args[1]).WithLogger(nil).WithSyncWrites(false))
	if err != nil {
		log.Fatal(err)
	}
	batch := db.NewWriteBatch()
	set := func(k, v []byte) {
		if err := batch.Set(k, v); err != nil {
			log.Fatal(err)
		}
	}
	data := []byte(`{"provisioner":{"id":"b7a9","name":"bench","type":"JWK"}}`)
	for i := 0; i < n; i += 3 {
		der := append([]byte(nil), template...)
		serial := der[at : at+16]
		rand.Read(serial)
		serial[0] = serial[0]&0x3f | 0x40
		name := new(big.Int).SetBytes(serial).String()
		set(key("x509_certs", name), der)
		if i+1 < n {
			set(key("x509_certs_data", name), data)
		}
		if i+2 < n {
			token := make([]byte, 450)
			rand.Read(token)
			set(key("used_ott", fmt.Sprintf("%x", token[:32])), []byte(fmt.Sprintf("%x", token)))
		}
	}
	if err := batch.Flush(); err != nil {
		log.Fatal(err)
	}
	if err := db.Close(); err != nil {
		log.Fatal(err)
	}
}
