// Reads the first records of a topic's only partition by a Java consumer that assigns it, in no group.
// java -cp JARS AssigningConsumer.java BOOTSTRAP TOPIC RECORDS
// Prints records per second and megabytes per second, counted from the first poll.

import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public class AssigningConsumer {
    private static final long READS_WITHIN_NANOS = 120_000_000_000L;

    public static void main(String[] arguments) {
        long wanted = Long.parseLong(arguments[2]);
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("enable.auto.commit", "false");
        var bytesAsTheyAre = new ByteArrayDeserializer();
        try (var consumer = new KafkaConsumer<byte[], byte[]>(settings, bytesAsTheyAre, bytesAsTheyAre)) {
            TopicPartition partition = new TopicPartition(arguments[1], 0);
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long begun = System.nanoTime();
            long records = 0;
            long bytes = 0;
            while (records < wanted) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    if (record.offset() != records) {
                        throw new IllegalStateException("offset " + record.offset() + " where " + records + " is next");
                    }
                    records++;
                    bytes += record.value().length;
                }
                if (System.nanoTime() - begun > READS_WITHIN_NANOS) {
                    throw new IllegalStateException(records + " records came within the time");
                }
            }
            double seconds = (System.nanoTime() - begun) / 1e9;
            System.out.printf("%d records, %.1f records/s, %.1f MB/s%n", records, records / seconds, bytes / 1e6 / seconds);
        }
    }
}
