// Runs commands on a MongoDB server, for images that have no shell: each a line of extended JSON from standard input.
// Replies come the same way. The server is MONGO_URI, so that no password is seen among arguments.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: MONGO_URI=mongodb://… mongocommand DATABASE <COMMANDS")
	}
	ctx := context.Background()
	client, err := mongo.Connect(ctx, options.Client().ApplyURI(os.Getenv("MONGO_URI")))
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 32<<20)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var command bson.D
		if err := bson.UnmarshalExtJSON(lines.Bytes(), false, &command); err != nil {
			log.Fatal(err)
		}
		reply, err := client.Database(os.Args[1]).RunCommand(ctx, command).Raw()
		if err != nil {
			log.Fatal(err)
		}
		text, err := bson.MarshalExtJSON(reply, false, false)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(text))
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
