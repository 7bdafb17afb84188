// Prints what the files beside this one hold, from the classes of Apache Kafka on the class path; tests/golden.rs runs it.
//
//   java -cp JARS Golden.java settings                          kafka-4.3-settings.tsv
//   java -cp JARS Golden.java describe BOOTSTRAP CASE NAME=VALUE...   rows of kafka-4.3-describe-configs.tsv
//
// "describe" asks for broker 1 and for a topic with retention.ms=1000, which it makes. The settings that are given are set
// at run time first, for all brokers, or with the prefix "1:" for broker 1.

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.storage.internals.log.LogConfig;

public class Golden {
    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "settings" -> settings();
            case "describe" -> describe(arguments[1], arguments[2], Arrays.asList(arguments).subList(3, arguments.length));
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    static void settings() throws ReflectiveOperationException {
        print("broker", AbstractKafkaConfig.CONFIG_DEF);
        print("topic", LogConfig.configDefCopy());
    }

    static void print(String kind, ConfigDef definition) throws ReflectiveOperationException {
        List<String> rows = new ArrayList<>();
        for (ConfigDef.ConfigKey key : definition.configKeys().values()) {
            if (key.internalConfig) continue;
            boolean required = key.defaultValue == ConfigDef.NO_DEFAULT_VALUE;
            String value = required ? "required" : ConfigDef.convertToString(key.defaultValue, key.type);
            String validator = key.validator == null ? "" : key.validator.toString();
            rows.add(String.join("\t", kind, key.name, key.type.toString(), String.valueOf(value), validator, update(kind, key.name)));
        }
        Collections.sort(rows);
        rows.forEach(System.out::println);
    }

    static String update(String kind, String name) throws ReflectiveOperationException {
        if (kind.equals("topic")) return "cluster-wide";
        if (names("PER_BROKER_CONFIGS").contains(name)) return "per-broker";
        return names("ALL_DYNAMIC_CONFIGS").contains(name) ? "cluster-wide" : "read-only";
    }

    /** Some of the lists are private. */
    static Collection<?> names(String list) throws ReflectiveOperationException {
        Field field = DynamicBrokerConfig.class.getDeclaredField(list);
        field.setAccessible(true);
        return (Collection<?>) field.get(null);
    }

    static void describe(String bootstrap, String name, List<String> settings) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        try (Admin admin = Admin.create(properties)) {
            NewTopic topic = new NewTopic("golden-" + name, 1, (short) 1).configs(Map.of("retention.ms", "1000"));
            admin.createTopics(List.of(topic)).all().get();
            for (String setting : settings) set(admin, setting);
            for (ConfigResource resource : List.of(
                    new ConfigResource(ConfigResource.Type.BROKER, "1"),
                    new ConfigResource(ConfigResource.Type.BROKER, ""),
                    new ConfigResource(ConfigResource.Type.TOPIC, topic.name()))) {
                print(admin, name, resource);
            }
        }
    }

    static void set(Admin admin, String setting) throws Exception {
        boolean own = setting.startsWith("1:");
        String[] pair = (own ? setting.substring(2) : setting).split("=", 2);
        ConfigResource resource = new ConfigResource(ConfigResource.Type.BROKER, own ? "1" : "");
        AlterConfigOp operation = new AlterConfigOp(new ConfigEntry(pair[0], pair[1]), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(operation))).all().get();
        // The broker hears of a change after it was answered.
        for (int tries = 0; tries < 100; tries++) {
            if (described(admin, resource).stream().anyMatch(entry -> entry.name().equals(pair[0]) && entry.synonyms().stream()
                    .anyMatch(synonym -> pair[1].equals(synonym.value())))) return;
            Thread.sleep(100);
        }
        throw new IllegalStateException(setting + " did not take effect");
    }

    static List<ConfigEntry> described(Admin admin, ConfigResource resource) throws Exception {
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true);
        return new ArrayList<>(admin.describeConfigs(List.of(resource), options).all().get().get(resource).entries());
    }

    static void print(Admin admin, String name, ConfigResource resource) throws Exception {
        List<String> rows = new ArrayList<>();
        String kind = resource.type() == ConfigResource.Type.BROKER && resource.name().isEmpty() ? "BROKERS" : resource.type().toString();
        for (ConfigEntry entry : described(admin, resource)) {
            List<String> synonyms = entry.synonyms().stream().map(s -> s.name() + "=" + s.value() + ":" + s.source()).toList();
            rows.add(String.join("\t", name, kind, entry.name(), String.valueOf(entry.value()), entry.type().toString(),
                    entry.source().toString(), String.valueOf(entry.isReadOnly()), String.valueOf(entry.isSensitive()),
                    synonyms.toString()));
        }
        Collections.sort(rows);
        rows.forEach(System.out::println);
    }
}
