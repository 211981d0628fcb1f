import { describeClient } from "./clients/weather.ts";

describeClient("3", ["models"]);
